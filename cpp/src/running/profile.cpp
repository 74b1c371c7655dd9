#include "striate/profile.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "cpu/cpu.hpp"
#include "kernels/units.hpp"
#include "running/recorder.hpp"
#include "striate/error.hpp"
#include "striate/runtime.hpp"

namespace striate {

Recorder::Recorder(const Plan& plan, size_t runs) {
    for (const ScheduledStep& s : plan.steps())
        profile_.steps.push_back({s.layer, s.what, s.pass, s.flops, s.bytes, s.shared});
    profile_.threads = get_num_threads();
    profile_.runs.reserve(runs);
    profile_.spans.resize(runs * profile_.steps.size() * profile_.threads);
}

void Recorder::begin_run() {
    const Clock::time_point now = Clock::now();
    if (profile_.runs.empty()) start_ = now;
    run_ = profile_.runs.size();
    profile_.runs.push_back({since(now), since(now)});
}

void Recorder::end_run() {
    profile_.runs.back().end = since(Clock::now());
}

void check_profile(int64_t rows, const std::vector<int64_t>& firsts, int64_t count) {
    require(!firsts.empty(), "a profile needs at least one run");
    require(count > 0, "a run needs at least one row, got ", count);
    for (const int64_t first : firsts)
        require(first >= 0 && count <= rows - first, "rows ", first, " to ", first + count, " are not within the ",
                rows, " rows of the data");
}

Profile record(Plan& plan, const std::vector<int64_t>& firsts, const BeforeRun& before_run,
               const std::function<void(int64_t first)>& run) {
    run(firsts.front());
    Recorder recorder(plan, firsts.size());
    // The plan may outlive the recorder, and a run may throw.
    struct Attached {
        Attached(Plan& to, Recorder& what) : plan(to) { plan.recorder = &what; }
        ~Attached() { plan.recorder = nullptr; }
        Plan& plan;
    } const attached(plan, recorder);
    for (const int64_t first : firsts) {
        if (before_run) before_run();
        recorder.begin_run();
        run(first);
        recorder.end_run();
    }
    return recorder.take();
}

namespace {

constexpr double kSeconds = 0.03;  // of measuring each limit
constexpr int kMinRuns = 3;

// Of the best run of one step on all threads.
double best_seconds(Step step) {
    std::vector<ScheduledStep> steps(1);
    static_cast<Step&>(steps[0]) = std::move(step);
    steps[0].shared = true;
    Executor executor;
    AlignedBuffer scratch;
    const auto now = [] { return std::chrono::duration<double>(Recorder::Clock::now().time_since_epoch()).count(); };
    double best = std::numeric_limits<double>::infinity();
    const double end = now() + kSeconds;
    for (int run = 0; run < kMinRuns || now() < end; ++run) {
        const double start = now();
        executor.run(steps, 0, 1, {}, true, 0, scratch);
        best = std::min(best, now() - start);
    }
    return best;
}

double fma_rate(const kernels::Table& table) {
    constexpr double kMultiplyAdds = 1 << 20;     // vectors of a unit
    const int64_t count = 4 * get_num_threads();  // enough to hide how long starting the threads takes
    AlignedBuffer sink(static_cast<size_t>(count) * sizeof(float));
    std::fill_n(sink.floats(), count, 0.999f);
    Step step;
    step.units = count;
    step.run = [&](const Frame&, int64_t begin, int64_t end, std::byte*) {
        table.fma_peak({sink.floats(), count}, begin, end);
    };
    return 2.0 * kMultiplyAdds * table.vector_width * static_cast<double>(count) / best_seconds(std::move(step));
}

double copy_rate(const kernels::Table& table, int64_t bytes) {
    constexpr int64_t kRow = 1024;
    const int64_t rows = bytes / 2 / static_cast<int64_t>(kRow * sizeof(float));
    AlignedBuffer from(static_cast<size_t>(bytes) / 2), to(static_cast<size_t>(bytes) / 2);
    std::fill_n(from.floats(), rows * kRow, 1.0f);  // memory that was never written to may all be one page
    const View view{1, rows, 1, kRow, rows * kRow, kRow, kRow};
    const kernels::CopyArgs args{view, view, from.floats(), to.floats()};
    Step step;
    step.units = kernels::units(args);
    step.run = [&](const Frame&, int64_t begin, int64_t end, std::byte*) { table.copy(args, begin, end); };
    return static_cast<double>(bytes) / best_seconds(std::move(step));
}

}  // namespace

MachineLimits measure_limits() {
    const kernels::Table& table = cpu().table();
    MachineLimits limits;
    limits.flops_per_second = fma_rate(table);
    for (const int64_t bytes : {int64_t{1} << 18, int64_t{1} << 21, int64_t{1} << 24, int64_t{1} << 27})
        limits.copies.push_back({static_cast<double>(bytes), copy_rate(table, bytes)});
    return limits;
}

}  // namespace striate
