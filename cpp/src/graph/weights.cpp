#include "graph/weights.hpp"

#include <cstring>

#include "striate/error.hpp"

namespace striate {
namespace {

Mirrored& memory_of(const LayerWeights& weights, size_t which) {
    return weights.parameters.at(which).trainable ? weights.store->values : weights.store->state;
}

size_t byte_count(const LayerWeights& weights, size_t which) {
    return sizeof(float) * static_cast<size_t>(element_count(weights.parameters.at(which).shape));
}

}  // namespace

std::mutex& claiming_weights() {
    static std::mutex& mutex = forks::shared_mutex();
    return mutex;
}

bool Layer::has_weights() const {
    const std::lock_guard<std::mutex> lock(claiming_weights());
    return weights_ != nullptr;
}

std::shared_ptr<LayerWeights> Layer::claimed() const {
    const std::lock_guard<std::mutex> lock(claiming_weights());
    require(weights_ != nullptr, "[", label(), "] has no weights yet: they are made when a model is built with it");
    return weights_;
}

std::vector<Parameter> Layer::weights() const {
    return claimed()->parameters;
}

void Layer::read_weights(const std::vector<size_t>& which, const std::vector<float*>& out) const {
    const std::shared_ptr<LayerWeights> weights = claimed();
    const std::shared_lock<StepLock> lock(weights->store->lock);
    for (size_t i = 0; i < which.size(); ++i)
        std::memcpy(out.at(i), memory_of(*weights, which[i]).read() + weights->begins.at(which[i]),
                    byte_count(*weights, which[i]));
}

void Layer::write_weights(const std::vector<size_t>& which, const std::vector<const float*>& values) const {
    const std::shared_ptr<LayerWeights> weights = claimed();
    const std::unique_lock<StepLock> lock(weights->store->lock);
    const forks::Gate gate;
    for (size_t i = 0; i < which.size(); ++i)
        std::memcpy(memory_of(*weights, which[i]).change() + weights->begins.at(which[i]), values.at(i),
                    byte_count(*weights, which[i]));
    weights->store->version.fetch_add(1, std::memory_order_acq_rel);
}

}  // namespace striate
