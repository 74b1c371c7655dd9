#include "cpu/executor.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstring>

#include "cpu/team.hpp"
#include "planning/kernel_call.hpp"
#include "running/recorder.hpp"
#include "striate/runtime.hpp"

namespace striate {
namespace {

// What a step takes on one thread, in nanoseconds, roughly; below the bound a barrier costs more than a second thread
// saves.
constexpr double kFlopsPerNs = 60.0, kBytesPerNs = 8.0, kWorthSharing = 3000.0;

double expected_ns(const ScheduledStep& step) {
    return std::max(step.flops / kFlopsPerNs, step.bytes / kBytesPerNs);
}

// A thread's part of a step.
void run_part(const ScheduledStep& step, size_t index, const Frame& frame, int thread, int threads, std::byte* scratch,
              Recorder* recorder) {
    const int64_t begin = step.shared ? step.units * thread / threads : 0;
    const int64_t end = step.shared ? step.units * (thread + 1) / threads : thread == 0 ? step.units : 0;
    if (begin >= end) return;
    if (!recorder) {
        step.execute(frame, begin, end, scratch);
        return;
    }
    const Recorder::Clock::time_point began = Recorder::Clock::now();
    step.execute(frame, begin, end, scratch);
    recorder->note(index, thread, began, Recorder::Clock::now());
}

double expected_seconds(const std::vector<ScheduledStep>& steps, size_t begin, size_t end) {
    double ns = 0.0;
    for (size_t i = begin; i < end; ++i) ns += expected_ns(steps[i]);
    return 1e-9 * ns;
}

// `slot` bytes of `scratch` are each thread's.
void run_on(int threads, const std::vector<ScheduledStep>& steps, size_t begin, size_t end, const Frame& frame,
            bool with_output, std::byte* scratch, size_t slot, Recorder* recorder) {
    if (threads > 1) {
        const auto part = [&](int thread, int count) {
            for (size_t i = begin; i < end; ++i) {
                const ScheduledStep& step = steps[i];
                if (step.for_output && !with_output) continue;
                run_part(step, i, frame, thread, count, scratch + slot * thread, recorder);
                if (step.barrier && i + 1 < end) team_barrier();
            }
        };
        run_in_team(threads, std::cref(part));  // a reference: nothing is allocated
        return;
    }
    for (size_t i = begin; i < end; ++i)
        if (with_output || !steps[i].for_output) run_part(steps[i], i, frame, 0, 1, scratch, recorder);
}

}  // namespace

void ScheduledStep::execute(const Frame& frame, int64_t from, int64_t to, std::byte* memory) const {
    if (!invoke) return run(frame, from, to, memory);
    if (call->scratch == KernelCall::kNone) return invoke(*table, arguments, from, to);
    // Each thread has scratch memory, and so arguments, of its own.
    alignas(std::max_align_t) std::byte own[kernels::kMaxArguments];
    std::memcpy(own, arguments, call->arguments.size());
    std::memcpy(own + call->scratch, &memory, sizeof memory);
    invoke(*table, own, from, to);
}

void schedule(std::vector<ScheduledStep>& steps) {
    for (ScheduledStep& step : steps) step.shared = step.units > 1 && expected_ns(step) >= kWorthSharing;
    for (size_t i = 0; i < steps.size(); ++i)
        steps[i].barrier = steps[i].shared || (i + 1 < steps.size() && steps[i + 1].shared) || i + 1 == steps.size();
    // A step that may be left out must not be the one that carries the barrier.
    for (size_t i = 0; i + 1 < steps.size(); ++i)
        if (steps[i + 1].for_output) steps[i].barrier = true;
}

Balance& Executor::balance(const std::vector<ScheduledStep>& steps, size_t begin, size_t end, int threads) {
    for (Range& range : ranges_) {
        if (range.begin != begin || range.end != end) continue;
        if (range.threads != threads)
            range = {begin, end, threads, Balance(threads, expected_seconds(steps, begin, end))};
        return range.balance;
    }
    ranges_.push_back({begin, end, threads, Balance(threads, expected_seconds(steps, begin, end))});
    return ranges_.back().balance;
}

void Executor::run(const std::vector<ScheduledStep>& steps, size_t begin, size_t end, const Frame& frame,
                   bool with_output, size_t scratch, AlignedBuffer& memory, Recorder* recorder) {
    bool any_shared = false;
    for (size_t i = begin; i < end; ++i) any_shared |= steps[i].shared;
    const int allowed = any_shared ? get_num_threads() : 1;
    const size_t slot = (scratch + 4095) / 4096 * 4096;
    if (memory.size() < slot * allowed) {
        memory = AlignedBuffer();  // before the larger one is made
        memory = AlignedBuffer(slot * allowed);
    }
    if (allowed == 1 || recorder) {
        run_on(allowed, steps, begin, end, frame, with_output, memory.data(), slot, recorder);
        return;
    }
    Balance& choice = balance(steps, begin, end, allowed);
    const auto began = std::chrono::steady_clock::now();
    run_on(choice.shared() ? allowed : 1, steps, begin, end, frame, with_output, memory.data(), slot, nullptr);
    choice.took(std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
}

}  // namespace striate
