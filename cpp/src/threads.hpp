// How many threads a process may use, read from its environment and the container it runs in.
#pragma once

#include <optional>
#include <string>
#include <thread>
#include <utility>

#if defined(__unix__) || defined(__APPLE__)
#include <signal.h>
#endif

namespace striate {

constexpr int kMaxThreads = 1024;

// The value of STRIATE_NUM_THREADS as a number. Throws ValueError, naming the variable, unless it is a whole number
// from 1 to kMaxThreads.
int parse_num_threads(const std::string& text);

// The CPUs' worth of time that control groups leave this process, rounded up, or nothing where there is no limit.
// `root` is the file system to look in (Linux kernel documentation: admin-guide/cgroup-v2, scheduler/sched-bwc).
std::optional<int> cgroup_cpu_quota(const std::string& root = "");

// The first number of OMP_NUM_THREADS, by which joblib, Dask, Ray and torchrun limit the threads of a process (OpenMP
// 5.2, section 21.2.2); 0 where it is none.
int omp_num_threads(const std::string& text);

// STRIATE_NUM_THREADS, or else the least of OMP_NUM_THREADS, the affinity mask, the quota and the machine's CPUs.
int default_num_threads();

// A thread that leaves all signals to the others: Python's handlers belong to the main thread. Throws
// std::system_error when no thread can be started.
template <class F>
std::thread quiet_thread(F&& f) {
#if defined(__unix__) || defined(__APPLE__)
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    struct Restore {
        ~Restore() { pthread_sigmask(SIG_SETMASK, &mask, nullptr); }
        const sigset_t& mask;
    } const restore{before};
#endif
    return std::thread(std::forward<F>(f));
}

}  // namespace striate
