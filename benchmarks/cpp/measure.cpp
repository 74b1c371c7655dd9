#include "measure.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace bench {
namespace {

// Seconds of a repetition: long beside the clock and the fork, short beside the turns of other processes.
constexpr double kRepetition = 0.002;
constexpr int kMinRepetitions = 3;

double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

class Team {
  public:
    Team(const Work& work, int threads) : work_(work), threads_(threads) {
        for (const Call& call : work) slot_ = std::max(slot_, (call.scratch + kPage - 1) / kPage * kPage);
        scratch_ = striate::AlignedBuffer(slot_ * static_cast<size_t>(threads));
    }

    // Seconds of `runs` runs, one after the other.
    double seconds(int64_t runs) {
        const double start = now();
#ifdef _OPENMP
        if (threads_ > 1) {
#pragma omp parallel num_threads(threads_)
            run(runs, omp_get_thread_num(), omp_get_num_threads());
            return now() - start;
        }
#endif
        run(runs, 0, 1);
        return now() - start;
    }

  private:
    static constexpr size_t kPage = 4096;

    void run(int64_t runs, int thread, int threads) {
        std::byte* const scratch = scratch_.data() + slot_ * static_cast<size_t>(thread);
        for (int64_t i = 0; i < runs; ++i)
            for (const Call& call : work_) {
                const int64_t begin = call.units * thread / threads, end = call.units * (thread + 1) / threads;
                if (begin < end) call.run(begin, end, scratch);
#ifdef _OPENMP
#pragma omp barrier
#endif
            }
    }

    const Work& work_;
    int threads_;
    size_t slot_ = 0;
    striate::AlignedBuffer scratch_;
};

}  // namespace

double best_seconds(const Work& work, int threads, double budget) {
    Team team(work, threads);
    team.seconds(1);
    double best = std::numeric_limits<double>::infinity();
    int64_t runs = 1;
    const double end = now() + budget;
    for (int repetition = 0; repetition < kMinRepetitions || now() < end; ++repetition) {
        const double seconds = team.seconds(runs);
        best = std::min(best, seconds / static_cast<double>(runs));
        if (seconds < std::min(kRepetition, budget / kMinRepetitions)) runs *= 2;
    }
    return best;
}

double fma_peak(const striate::kernels::Table& table, int threads, double budget) {
    constexpr int64_t kUnits = 4, kSteps = int64_t{1} << 20;  // units of a thread: less than a scheduler's turn
    Memory memory;
    const int64_t count = kUnits * threads;
    const Work work = {call(table.fma_peak, {memory.floats(count, 0.999f, 1), count})};
    return 2.0 * table.vector_width * static_cast<double>(count * kSteps) / best_seconds(work, threads, budget);
}

double copy_bandwidth(const striate::kernels::Table& table, int64_t bytes, int threads, double budget) {
    constexpr int64_t kPieces = 64;
    const int64_t floats = bytes / 2 / static_cast<int64_t>(sizeof(float));
    Memory memory;
    const Map from = memory.map({1, 1, 1, floats}), to = memory.map({1, 1, 1, floats});
    const Work by_kernel = {call(table.copy, {from.view, to.view, from.data, to.data})};
    const Work by_library = {{kPieces, [=](int64_t begin, int64_t end, std::byte*) {
                                  const int64_t first = floats * begin / kPieces, last = floats * end / kPieces;
                                  std::memcpy(to.data + first, from.data + first,
                                              static_cast<size_t>(last - first) * sizeof(float));
                              }}};
    const double seconds =
        std::min(best_seconds(by_kernel, threads, budget / 2), best_seconds(by_library, threads, budget / 2));
    return static_cast<double>(2 * floats) * kFloat / seconds;
}

}  // namespace bench
