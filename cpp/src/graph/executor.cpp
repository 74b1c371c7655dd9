#include "graph/executor.hpp"

#include <algorithm>
#include <atomic>

#include "striate/runtime.hpp"

#ifdef _OPENMP
#include <omp.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace striate {
namespace {

// What a step takes on one thread, in nanoseconds, roughly; below the bound a barrier costs more than a second thread
// saves.
constexpr double kFlopsPerNs = 60.0, kBytesPerNs = 8.0, kWorthSharing = 3000.0;

// The OpenMP runtime's threads do not survive a fork, and waiting for them would hang: a child works on one thread.
std::atomic<bool> threads_started{false}, threads_lost{false};

#ifdef _OPENMP
void watch_forks() {
#if defined(__unix__) || defined(__APPLE__)
    static const int registered = pthread_atfork(nullptr, nullptr, [] { threads_lost = threads_started.load(); });
    (void)registered;
#endif
}
#endif

void run_step(const ScheduledStep& step, const Frame& frame, int thread, int threads, std::byte* scratch) {
    if (!step.shared) {
        if (thread == 0) step.run(frame, 0, step.units, scratch);
        return;
    }
    const int64_t begin = step.units * thread / threads, end = step.units * (thread + 1) / threads;
    if (begin < end) step.run(frame, begin, end, scratch);
}

}  // namespace

void schedule(std::vector<ScheduledStep>& steps) {
    for (ScheduledStep& step : steps)
        step.shared = step.units > 1 && std::max(step.flops / kFlopsPerNs, step.bytes / kBytesPerNs) >= kWorthSharing;
    for (size_t i = 0; i < steps.size(); ++i)
        steps[i].barrier = steps[i].shared || (i + 1 < steps.size() && steps[i + 1].shared) || i + 1 == steps.size();
    // A step that may be left out must not be the one that carries the barrier.
    for (size_t i = 0; i + 1 < steps.size(); ++i)
        if (steps[i + 1].for_output) steps[i].barrier = true;
}

void Executor::run(const std::vector<ScheduledStep>& steps, size_t begin, size_t end, const Frame& frame,
                   bool with_output, size_t scratch) {
    bool any_shared = false;
    for (size_t i = begin; i < end; ++i) any_shared |= steps[i].shared;
    const int threads = any_shared && !threads_lost ? get_num_threads() : 1;
    const size_t slot = (scratch + 4095) / 4096 * 4096;
    if (scratch_.size() < slot * threads) scratch_ = AlignedBuffer(slot * threads);
    std::byte* const base = scratch_.data();
    if (threads == 1) {
        for (size_t i = begin; i < end; ++i)
            if (with_output || !steps[i].for_output) steps[i].run(frame, 0, steps[i].units, base);
        return;
    }
#ifdef _OPENMP
    watch_forks();
    threads_started = true;
#pragma omp parallel num_threads(threads)
    {
        // The runtime may give fewer threads than it was asked for; the units are dealt out to those there are.
        const int thread = omp_get_thread_num(), count = omp_get_num_threads();
        for (size_t i = begin; i < end; ++i) {
            const ScheduledStep& step = steps[i];
            if (step.for_output && !with_output) continue;
            run_step(step, frame, thread, count, base + slot * thread);
            if (step.barrier && i + 1 < end) {
#pragma omp barrier
            }
        }
    }
#else
    for (size_t i = begin; i < end; ++i)
        if (with_output || !steps[i].for_output) run_step(steps[i], frame, 0, 1, base);
#endif
}

}  // namespace striate
