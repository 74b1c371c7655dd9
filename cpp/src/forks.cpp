#include "forks.hpp"

#include <array>
#include <atomic>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace striate::forks {
namespace {

constexpr size_t kMutexes = 32;  // ThreadSanitizer follows at most 64 that one thread holds

// Never destroyed: threads may still run while a process ends.
std::array<std::mutex, kMutexes>& mutexes() {
    static auto& all = *new std::array<std::mutex, kMutexes>;
    return all;
}
std::mutex& one_fork() {
    static auto& mutex = *new std::mutex;
    return mutex;
}

std::atomic<uint64_t> forks{0};
thread_local bool child_of_fork = false;

// Threads behind the gate, and whether one wants to fork. No condition variable: one that threads wait at while the
// process is forked cannot be used in the child.
std::atomic<uint32_t> inside{0}, forking{0};

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

Gate::Gate() {
    while (true) {
        ++inside;
        if (!forking) return;
        if (--inside == 0) inside.notify_all();
        forking.wait(1);
    }
}

Gate::~Gate() {
    if (--inside == 0 && forking) inside.notify_all();
}

#if defined(__unix__) || defined(__APPLE__)
namespace {

void before_fork() {
    one_fork().lock();
    forking = 1;
    for (uint32_t count; (count = inside) != 0;) inside.wait(count);
    for (std::mutex& mutex : mutexes()) mutex.lock();
}

void after_fork() {
    for (std::mutex& mutex : mutexes()) mutex.unlock();
    forking = 0;
    forking.notify_all();
    one_fork().unlock();
}

void in_child() {
    ++forks;  // step locks begin anew
    inside = 0;
    child_of_fork = true;
    after_fork();
}

// At load: another library may use the runtime of OpenMP, and fork, before this one computes anything.
[[maybe_unused]] const int registered = [] {
    mutexes();
    one_fork();
    return pthread_atfork(before_fork, after_fork, in_child);
}();

}  // namespace
#endif

}  // namespace striate::forks
