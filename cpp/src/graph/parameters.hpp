// The weights of a model, wherever they are, and the arena of their gradients.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "device/memory.hpp"
#include "forks.hpp"
#include "graph/weights.hpp"
#include "striate/graph.hpp"
#include "striate/model.hpp"
#include "striate/optimizer.hpp"

namespace striate {

class Parameters {
  public:
    // Takes the weights of layers that have some; lays out and draws those of the others, which then have them. Throws
    // ValueError when a layer's weights do not fit what it is called on here.
    Parameters(const Graph& graph, uint64_t seed);

    const std::vector<ParameterInfo>& infos() const { return infos_; }
    // The layer's parameters are infos()[begin(layer)] to infos()[begin(layer + 1)].
    int begin(int layer) const { return begins_[static_cast<size_t>(layer)]; }
    // -1 when the layer has none of that name.
    int find(int layer, const std::string& name) const;

    // Where a parameter's value is: so many bytes behind the beginning of this memory.
    struct Place {
        Mirrored* memory;
        size_t begin;
    };
    Place place(int parameter) const { return places_[static_cast<size_t>(parameter)]; }
    // A value on the host, to be read or to be changed.
    const float* value(int parameter) const;
    float* change(int parameter);

    // The arena of gradients, in which trainable parameters follow one another, each on cache lines of its own. It
    // exists from the first call on, which may come from several threads. Optimizers have arenas of the same layout.
    Mirrored& gradients();
    bool has_gradients() const { return gradients_made_.load(std::memory_order_acquire); }
    int64_t arena_size() const { return arena_size_; }  // floats
    // Where a trainable parameter's part begins, in floats.
    int64_t arena_begin(int parameter) const { return arena_begins_[static_cast<size_t>(parameter)]; }
    // On the host; null where there is none.
    const float* gradient(int parameter);

    // The memory of values that training updates, as segments() number it.
    std::vector<Mirrored*> values() const;
    // All trainable parameters but those of the layers that are frozen, by the layer.
    std::vector<Segment> segments(const std::vector<char>& frozen) const;
    // All memory of weights and, once there are any, gradients.
    std::vector<Mirrored*> memory();

    const std::vector<std::shared_ptr<WeightStore>>& stores() const { return stores_; }
    // Of the store that holds the layer's weights; -1 where it has none.
    int store_of(int layer) const;
    std::vector<StepLock*> locks() const;
    uint64_t version() const;
    void changed();

  private:
    std::vector<ParameterInfo> infos_;
    std::vector<Place> places_;          // of each parameter
    std::vector<int64_t> arena_begins_;  // likewise; of trainable ones
    std::vector<int> begins_;            // of each layer, and the number of all
    std::vector<std::shared_ptr<WeightStore>> stores_;
    Mirrored gradients_;
    std::atomic<bool> gradients_made_{false};
    std::mutex& making_gradients_ = forks::shared_mutex();
    int64_t arena_size_ = 0;
};

}  // namespace striate
