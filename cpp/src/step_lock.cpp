#include "step_lock.hpp"

namespace striate {

void StepLock::renew() {
    if (generation_ == forks::generation()) return;
    generation_ = forks::generation();
    readers_ = waiting_readers_ = waiting_writers_ = 0;
    writing_ = false;
}

// No condition variable: one that threads waited at when the process was forked cannot be used in the child.
void StepLock::wait(Lock& lock) {
    const uint32_t seen = changes_.load();
    lock.unlock();
    changes_.wait(seen);
    lock.lock();
}

void StepLock::wake() {
    if (waiting_readers_ + waiting_writers_ + readers_ == 0) return;
    ++changes_;
    changes_.notify_all();
}

void StepLock::lock() {
    Lock lock(mutex_);
    renew();
    ++waiting_writers_;
    while (writing_ || readers_ > 0) wait(lock);
    --waiting_writers_;
    writing_ = true;
}

void StepLock::unlock() {
    const Lock lock(mutex_);
    if (generation_ != forks::generation()) return;  // the child of a fork in the middle of it
    writing_ = false;
    readers_ += waiting_readers_;
    waiting_readers_ = 0;
    ++turn_;
    wake();
}

void StepLock::lock_shared() {
    Lock lock(mutex_);
    renew();
    if (!writing_ && waiting_writers_ == 0) {
        ++readers_;
        return;
    }
    ++waiting_readers_;
    // unlock() counts those that wait among the readers.
    for (const uint32_t before = turn_; turn_ == before;) wait(lock);
}

void StepLock::unlock_shared() {
    const Lock lock(mutex_);
    if (generation_ != forks::generation()) return;
    if (--readers_ == 0) wake();
}

}  // namespace striate
