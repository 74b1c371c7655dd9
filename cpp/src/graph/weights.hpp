// The memory of layers' weights. It belongs to layers: models that have a layer in common have its weights in common.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <vector>

#include "device/memory.hpp"
#include "step_lock.hpp"
#include "striate/layer.hpp"

namespace striate {

// The weights of the layers that one model was the first to be built with.
struct WeightStore {
    Mirrored values, state;  // what training updates; moving averages and the like
    StepLock lock;
    // Grows with every change, so that what was prepared from the weights can be prepared anew.
    std::atomic<uint64_t> version{1};
};

// The weights of one layer: parts of a store.
struct LayerWeights {
    std::shared_ptr<WeightStore> store;
    std::vector<Parameter> parameters;
    std::vector<size_t> begins;  // of each parameter, in bytes
};

// Held while layers get weights: a layer gets them once, whichever of several threads builds a model with it first. No
// other mutex of forks::shared_mutex() may be taken meanwhile.
std::mutex& claiming_weights();

// The locks of a model's stores as one, to be used with std::unique_lock and std::shared_lock. All models take the
// locks in one order.
class WeightLocks {
  public:
    explicit WeightLocks(std::vector<StepLock*> locks) : locks_(std::move(locks)) {
        std::sort(locks_.begin(), locks_.end(), std::less<>());
    }
    void lock() {
        for (StepLock* l : locks_) l->lock();
    }
    void unlock() {
        for (StepLock* l : locks_) l->unlock();
    }
    void lock_shared() {
        for (StepLock* l : locks_) l->lock_shared();
    }
    void unlock_shared() {
        for (StepLock* l : locks_) l->unlock_shared();
    }

  private:
    std::vector<StepLock*> locks_;
};

// Held while weights, gradients or what training keeps beside them are changed. The child of a fork has weights after a
// whole step.
class Writing {
  public:
    explicit Writing(WeightLocks& weights) : weights_(weights) {}

  private:
    std::unique_lock<WeightLocks> weights_;
    forks::Gate gate_;  // entered last: who waits for the weights must not keep others from forking
};

using Reading = std::shared_lock<WeightLocks>;

}  // namespace striate
