#include "graph/parameters.hpp"

#include "striate/initializers.hpp"

namespace striate {
namespace {

// Each parameter begins on a cache line of its own.
constexpr int64_t kLine = 16;

int64_t padded(int64_t size) {
    return (size + kLine - 1) / kLine * kLine;
}

}  // namespace

Parameters::Parameters(const Graph& graph, uint64_t seed) : frozen_(graph.layers.size(), 0) {
    std::vector<std::string> initializers;
    int64_t state_size = 0;
    for (size_t i = 0; i < graph.layers.size(); ++i) {
        const Graph::LayerEntry& entry = graph.layers[i];
        begins_.push_back(static_cast<int>(infos_.size()));
        for (const Parameter& p : entry.layer->parameters(graph.input_shapes(entry.first_node))) {
            const int64_t size = element_count(p.shape);
            int64_t& end = p.trainable ? arena_size_ : state_size;
            require(size <= (int64_t{1} << 60) - end, "[", entry.name, "] ", p.name, " of shape ", to_string(p.shape),
                    " makes the model too large to address");
            offsets_.push_back(end);
            segment_ids_.push_back(p.trainable ? static_cast<int>(segments_.size()) : -1);
            if (p.trainable) segments_.push_back({end, size, true, entry.name + "/" + p.name});
            end += padded(size);
            initializers.push_back(p.initializer);
            infos_.push_back(
                {entry.name + "/" + p.name, p.shape, static_cast<int>(i), p.trainable, false, nullptr, nullptr});
        }
    }
    begins_.push_back(static_cast<int>(infos_.size()));
    values_ = AlignedBuffer(sizeof(float) * arena_size_);
    state_ = AlignedBuffer(sizeof(float) * state_size);
    for (size_t i = 0; i < infos_.size(); ++i) {
        ParameterInfo& info = infos_[i];
        info.value = (info.trainable ? values_.floats() : state_.floats()) + offsets_[i];
        initialize(initializers[i], info.shape, seed, i, info.value, info.name);
    }
}

int Parameters::find(int layer, const std::string& name) const {
    for (int i = begin(layer); i < begin(layer + 1); ++i) {
        const ParameterInfo& info = infos_[static_cast<size_t>(i)];
        if (info.name.size() > name.size() &&
            info.name.compare(info.name.size() - name.size(), name.size(), name) == 0 &&
            info.name[info.name.size() - name.size() - 1] == '/')
            return i;
    }
    return -1;
}

float* Parameters::gradients() {
    const std::lock_guard<std::mutex> lock(making_gradients_);
    if (!gradients_.data()) {
        gradients_ = AlignedBuffer(sizeof(float) * arena_size_);
        for (size_t i = 0; i < infos_.size(); ++i)
            if (infos_[i].trainable) infos_[i].gradient = gradients_.floats() + offsets_[i];
    }
    return gradients_.floats();
}

void Parameters::freeze(int layer, bool frozen) {
    frozen_[layer] = frozen;
    for (int i = begin(layer); i < begin(layer + 1); ++i) {
        ParameterInfo& info = infos_[static_cast<size_t>(i)];
        if (!info.trainable) continue;
        info.frozen = frozen;
        segments_[static_cast<size_t>(segment_ids_[static_cast<size_t>(i)])].trainable = !frozen;
    }
}

}  // namespace striate
