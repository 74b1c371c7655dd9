#include "forks.hpp"

#include <array>
#include <atomic>
#include <memory>

#include "step_lock.hpp"

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace striate {
namespace forks {
namespace {

constexpr size_t kMutexes = 64;

// Never destroyed: threads may still run while a process ends.
std::array<std::mutex, kMutexes>& mutexes() {
    static auto& all = *new std::array<std::mutex, kMutexes>;
    return all;
}

std::atomic<uint64_t> forks{0};
thread_local bool child_of_fork = false;

}  // namespace

std::mutex& shared_mutex() {
    static std::atomic<size_t> next{0};
    return mutexes()[next.fetch_add(1, std::memory_order_relaxed) % kMutexes];
}

uint64_t generation() {
    return forks.load(std::memory_order_relaxed);
}

bool came_through() {
    return child_of_fork;
}

}  // namespace forks

StepLock& fork_gate() {
    static StepLock& gate = *new StepLock;
    return gate;
}

#if defined(__unix__) || defined(__APPLE__)
namespace {

void before_fork() {
    fork_gate().lock();
    for (std::mutex& mutex : forks::mutexes()) mutex.lock();
}

void unlock_all() {
    for (std::mutex& mutex : forks::mutexes()) mutex.unlock();
}

void in_parent() {
    unlock_all();
    fork_gate().unlock();
}

void in_child() {
    ++forks::forks;  // step locks, the gate too, begin anew
    forks::child_of_fork = true;
    unlock_all();
}

// At load: another library may use the runtime of OpenMP, and fork, before this one computes anything.
[[maybe_unused]] const int registered = [] {
    fork_gate();
    return pthread_atfork(before_fork, in_parent, in_child);
}();

}  // namespace
#endif

}  // namespace striate
