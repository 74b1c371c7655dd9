#include "cpu/team.hpp"

#ifdef _OPENMP
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <system_error>

#include "forks.hpp"
#include "striate/runtime.hpp"
#include "threads.hpp"
#endif

namespace striate {

#ifdef _OPENMP
namespace {

using Clock = std::chrono::steady_clock;
using Part = std::function<void(int thread, int count)>;

// Time until threads that could not be started are tried again.
constexpr auto kRetry = std::chrono::seconds(1);

// libgomp gives each thread that opens a region a pool of its own, and ends the process if it cannot start a thread of
// it. Before the pool grows, as many threads are started to see whether they can be.
struct Pool {
    int size = 1;               // threads of the last region
    int most = 0;               // that can be had; 0: not known to be too few
    Clock::time_point retry{};  // when to look again
};
thread_local Pool pool;

// While a pool grows, no other may, or a thread that was found startable would be taken by the other.
std::mutex& growing() {
    static std::mutex& mutex = forks::shared_mutex();
    return mutex;
}

void run_region(int threads, const Part& part, std::unique_lock<std::mutex>& grows) {
    pool.size = threads;
#pragma omp parallel num_threads(threads)
    {
        const int thread = omp_get_thread_num(), count = omp_get_num_threads();
        if (thread == 0 && grows.owns_lock()) grows.unlock();
        part(thread, count);
    }
}

void run_here(int threads, const Part& part) {
    if (pool.most > 0 && threads > pool.most) {
        if (Clock::now() >= pool.retry)
            pool.most = 0;
        else
            threads = pool.most;
    }
    std::unique_lock<std::mutex> grows(growing(), std::defer_lock);
    while (threads > pool.size) {
        grows.lock();
        // One more than needed: other processes start threads too.
        const int found = startable_threads(threads - pool.size + 1) - 1;
        if (found >= threads - pool.size) break;
        grows.unlock();
        threads = pool.most = pool.size + std::max(found, 0);
        pool.retry = Clock::now() + kRetry;
        warn_of_few_threads("computing on " + std::to_string(threads) + (threads == 1 ? " thread" : " threads"));
    }
    if (threads == 1)
        part(0, 1);
    else
        run_region(threads, part, grows);
}

// A thread that opens regions in place of one whose pool a fork has taken away.
class Deputy {
  public:
    Deputy() : thread_(quiet_thread([this] { serve(); })) {}

    void run(int threads, const Part& part) {
        std::unique_lock<std::mutex> lock(mutex_);
        threads_ = threads;
        part_ = &part;
        changed_.notify_all();
        changed_.wait(lock, [&] { return !part_; });
        if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
    }

  private:
    void serve() {
        std::unique_lock<std::mutex> lock(mutex_);
        while (true) {
            changed_.wait(lock, [&] { return part_ != nullptr; });
            try {
                run_here(threads_, *part_);
            } catch (...) {
                failure_ = std::current_exception();
            }
            part_ = nullptr;
            changed_.notify_all();
        }
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    int threads_ = 1;
    const Part* part_ = nullptr;
    std::exception_ptr failure_;  // of a warning
    std::thread thread_;
};

// The calling thread's; null where none can be started. It is never ended: the process may end, or fork again, while
// it waits.
Deputy* deputy() {
    thread_local Deputy* own = nullptr;
    thread_local uint64_t made = 0;
    if (made == forks::generation()) return own;
    own = nullptr;
    try {
        own = new Deputy;
        made = forks::generation();
    } catch (const std::system_error&) {
        warn_of_few_threads("computing on 1 thread");
    }
    return own;
}

}  // namespace

void run_in_team(int threads, const Part& part) {
    if (!forks::came_through())
        run_here(threads, part);
    else if (Deputy* const other = deputy())
        other->run(threads, part);
    else
        part(0, 1);
}

void team_barrier() {
#pragma omp barrier
}
#else
void run_in_team(int, const std::function<void(int thread, int count)>& part) {
    part(0, 1);
}

void team_barrier() {}
#endif

}  // namespace striate
