// Steps that change a model's weights, one at a time, and calls that read them, many at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <shared_mutex>

#include "forks.hpp"

namespace striate {

// A mutex for one writer or several readers, to be used with std::unique_lock and std::shared_lock. Readers that wait
// get their turn after one writer, and a writer after the readers that are reading: a loop of training steps stops
// neither predictions nor copies of the weights, nor do they stop it. In the child of a fork it is free.
class StepLock {
  public:
    void lock();
    void unlock();
    void lock_shared();
    void unlock_shared();

  private:
    using Lock = std::unique_lock<std::mutex>;
    void renew();  // in the child of a fork
    void wait(Lock& lock);
    void wake();

    std::mutex& mutex_ = forks::shared_mutex();
    std::atomic<uint32_t> changes_{0};
    uint64_t generation_ = forks::generation();
    uint32_t turn_ = 0;  // of readers
    int readers_ = 0, waiting_readers_ = 0, waiting_writers_ = 0;
    bool writing_ = false;
};

}  // namespace striate
