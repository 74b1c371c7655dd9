// The weights of a model: one arena for what training updates, one for other state.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include "forks.hpp"
#include "striate/graph.hpp"
#include "striate/model.hpp"
#include "striate/optimizer.hpp"

namespace striate {

class Parameters {
  public:
    // Lays out and draws the parameters of all layers of the graph.
    Parameters(const Graph& graph, uint64_t seed);

    const std::vector<ParameterInfo>& infos() const { return infos_; }
    // The layer's parameters are infos()[begin(layer)] to infos()[begin(layer + 1)].
    int begin(int layer) const { return begins_[static_cast<size_t>(layer)]; }
    // -1 when the layer has none of that name.
    int find(int layer, const std::string& name) const;

    // The arenas of trainable parameters and of their gradients; gradients exist from the first call on, which may come
    // from several threads.
    float* values() { return values_.floats(); }
    float* gradients();
    int64_t arena_size() const { return arena_size_; }
    const std::vector<Segment>& segments() const { return segments_; }

    void freeze(int layer, bool frozen);
    bool frozen(int layer) const { return frozen_[layer]; }

    // Grows with every change of a value, so that what was prepared from the values can be prepared anew.
    uint64_t version() const { return version_.load(std::memory_order_acquire); }
    void changed() { version_.fetch_add(1, std::memory_order_acq_rel); }

  private:
    std::vector<ParameterInfo> infos_;
    std::vector<int64_t> offsets_;
    std::vector<Segment> segments_;
    std::vector<int> begins_;       // of each layer, and the number of all
    std::vector<int> segment_ids_;  // of each parameter; -1: not trainable
    std::vector<char> frozen_;
    AlignedBuffer values_, gradients_, state_;
    std::mutex& making_gradients_ = forks::shared_mutex();
    int64_t arena_size_ = 0;
    std::atomic<uint64_t> version_{1};
};

}  // namespace striate
