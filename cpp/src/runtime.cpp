#include "striate/runtime.hpp"

#include <atomic>
#include <iostream>
#include <memory>
#include <mutex>
#include <random>

#include "cpu/cpu.hpp"
#include "cpu/dispatch.hpp"
#include "forks.hpp"
#include "striate/error.hpp"
#include "threads.hpp"

namespace striate {
namespace {

std::atomic<int> thread_count{0};  // 0: not asked for yet

std::string openmp_version() {
#ifdef _OPENMP
    return std::to_string(_OPENMP);
#else
    return "none";
#endif
}

// A counter whose values splitmix64 scatters (Steele, Lea, Flood, 2014).
class SeedSequence {
  public:
    SeedSequence() {
        std::random_device entropy;
        state_ = static_cast<uint64_t>(entropy()) << 32 | entropy();
    }
    void restart(uint64_t seed) {
        const std::lock_guard<std::mutex> lock(mutex_);
        state_ = seed;
    }
    uint64_t next() {
        const std::lock_guard<std::mutex> lock(mutex_);
        uint64_t z = state_ += 0x9e3779b97f4a7c15u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        return z ^ z >> 31;
    }

  private:
    std::mutex& mutex_ = forks::shared_mutex();
    uint64_t state_;
};

SeedSequence& seeds() {
    static auto& sequence = *new SeedSequence;
    return sequence;
}

struct Warnings {
    std::mutex& mutex = forks::shared_mutex();
    std::shared_ptr<const WarningHandler> handler;
};

// Never destroyed: a thread may warn while the process ends.
Warnings& warnings() {
    static Warnings& all = *new Warnings;
    return all;
}

}  // namespace

RuntimeInfo runtime_info() {
    RuntimeInfo info;
    info.version = STRIATE_VERSION;
    info.compiler = STRIATE_COMPILER;
    info.isa = cpu().table().isa;
    info.openmp = openmp_version();
    info.available_isas = dispatch::available_isas();
    info.threads = get_num_threads();
    return info;
}

void set_num_threads(int count) {
    require(count >= 1 && count <= kMaxThreads, "set_num_threads: count must be from 1 to ", kMaxThreads, ", got ",
            count);
    thread_count = count;
}

int get_num_threads() {
    int count = thread_count;
    if (count == 0) {
        const int chosen = default_num_threads();
        // Another thread may have set it meanwhile: its choice is kept.
        count = thread_count.compare_exchange_strong(count, chosen) ? chosen : thread_count.load();
    }
    return count;
}

void set_seed(uint64_t seed) {
    seeds().restart(seed);
}
uint64_t next_seed() {
    return seeds().next();
}

void set_warning_handler(WarningHandler handler) {
    auto made = handler ? std::make_shared<const WarningHandler>(std::move(handler)) : nullptr;
    const std::lock_guard<std::mutex> lock(warnings().mutex);
    warnings().handler.swap(made);
}

void warn(const std::string& message) {
    std::shared_ptr<const WarningHandler> handler;
    {
        const std::lock_guard<std::mutex> lock(warnings().mutex);
        handler = warnings().handler;
    }
    if (handler)
        (*handler)(message);
    else
        std::cerr << "striate: warning: " + message + "\n";
}

}  // namespace striate
