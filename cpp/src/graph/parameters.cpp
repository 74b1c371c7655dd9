#include "graph/parameters.hpp"

#include "striate/error.hpp"
#include "striate/initializers.hpp"

namespace striate {
namespace {

// Each parameter begins on a cache line of its own.
constexpr size_t kLine = 64;

size_t padded(size_t bytes) {
    return (bytes + kLine - 1) / kLine * kLine;
}

size_t bytes_of(const Parameter& parameter) {
    return padded(sizeof(float) * static_cast<size_t>(element_count(parameter.shape)));
}

void check_weights(const LayerWeights& weights, const std::vector<Parameter>& wanted, const std::string& layer) {
    for (size_t i = 0; i < wanted.size(); ++i) {
        const Shape& has = weights.parameters.at(i).shape;
        require(has == wanted[i].shape, "[", layer, "] has a ", wanted[i].name, " of shape ", to_string(has),
                " from the model that it was first used in, and its input here needs ", to_string(wanted[i].shape),
                "; use a new layer");
    }
}

}  // namespace

Parameters::Parameters(const Graph& graph, uint64_t seed) {
    const std::lock_guard<std::mutex> lock(claiming_weights());
    const auto own = std::make_shared<WeightStore>();
    std::vector<std::pair<const Layer*, std::shared_ptr<LayerWeights>>> made;
    std::vector<std::shared_ptr<WeightStore>> of_parameter;
    std::vector<std::string> initializers;  // empty: the weights are there
    size_t value_bytes = 0, state_bytes = 0, arena_bytes = 0;
    for (size_t i = 0; i < graph.layers.size(); ++i) {
        const Graph::LayerEntry& entry = graph.layers[i];
        begins_.push_back(static_cast<int>(infos_.size()));
        const std::vector<Parameter> wanted = entry.layer->parameters(graph.input_shapes(entry.first_node));
        if (wanted.empty()) continue;
        std::shared_ptr<LayerWeights> weights = entry.layer->weights_;
        const bool found = weights != nullptr;
        if (found) {
            check_weights(*weights, wanted, entry.name);
        } else {
            weights = std::make_shared<LayerWeights>(LayerWeights{own, wanted, {}});
            for (const Parameter& p : wanted) {
                size_t& end = p.trainable ? value_bytes : state_bytes;
                weights->begins.push_back(end);
                end += bytes_of(p);
            }
            made.emplace_back(entry.layer.get(), weights);
        }
        for (size_t k = 0; k < wanted.size(); ++k) {
            const Parameter& p = wanted[k];
            infos_.push_back({entry.name + "/" + p.name, p.shape, static_cast<int>(i), p.trainable,
                              penalty_of(p.regularizer, entry.name)});
            places_.push_back({p.trainable ? &weights->store->values : &weights->store->state, weights->begins[k]});
            arena_begins_.push_back(p.trainable ? static_cast<int64_t>(arena_bytes / sizeof(float)) : -1);
            if (p.trainable) arena_bytes += bytes_of(p);
            initializers.push_back(found ? "" : p.initializer);
        }
        if (std::find(stores_.begin(), stores_.end(), weights->store) == stores_.end())
            stores_.push_back(weights->store);
    }
    begins_.push_back(static_cast<int>(infos_.size()));
    if (stores_.empty()) stores_.push_back(own);  // whose lock is the model's
    arena_size_ = static_cast<int64_t>(arena_bytes / sizeof(float));
    own->values = Mirrored(value_bytes);
    own->state = Mirrored(state_bytes);
    for (size_t i = 0; i < infos_.size(); ++i)
        if (!initializers[i].empty())
            initialize(initializers[i], infos_[i].shape, seed, i,
                       reinterpret_cast<float*>(places_[i].memory->host() + places_[i].begin), infos_[i].name);
    // Nothing throws from here on: either all new layers have weights, or none.
    for (auto& [layer, weights] : made) layer->weights_ = std::move(weights);
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

Mirrored& Parameters::gradients() {
    const std::lock_guard<std::mutex> lock(making_gradients_);
    if (!has_gradients()) {
        gradients_ = Mirrored(sizeof(float) * static_cast<size_t>(arena_size_));
        gradients_made_.store(true, std::memory_order_release);
    }
    return gradients_;
}

const float* Parameters::value(int parameter) const {
    const Place at = place(parameter);
    return reinterpret_cast<const float*>(at.memory->read() + at.begin);
}

float* Parameters::change(int parameter) {
    const Place at = place(parameter);
    return reinterpret_cast<float*>(at.memory->change() + at.begin);
}

const float* Parameters::gradient(int parameter) {
    if (!has_gradients() || !infos_[static_cast<size_t>(parameter)].trainable) return nullptr;
    return reinterpret_cast<const float*>(gradients_.read()) + arena_begin(parameter);
}

std::vector<Mirrored*> Parameters::values() const {
    std::vector<Mirrored*> all;
    for (const auto& store : stores_) all.push_back(&store->values);
    return all;
}

std::vector<Segment> Parameters::segments(const std::vector<char>& frozen) const {
    const std::vector<Mirrored*> arenas = values();
    std::vector<Segment> found;
    for (size_t i = 0; i < infos_.size(); ++i) {
        const ParameterInfo& info = infos_[i];
        if (!info.trainable) continue;
        const auto layer = static_cast<size_t>(info.layer);
        const auto arena = std::find(arenas.begin(), arenas.end(), places_[i].memory) - arenas.begin();
        found.push_back({arena_begins_[i], element_count(info.shape), frozen.empty() || !frozen[layer], info.name,
                         static_cast<size_t>(arena), static_cast<int64_t>(places_[i].begin / sizeof(float)),
                         info.penalty});
    }
    return found;
}

std::vector<Mirrored*> Parameters::memory() {
    std::vector<Mirrored*> all;
    for (const auto& store : stores_) all.insert(all.end(), {&store->values, &store->state});
    if (has_gradients()) all.push_back(&gradients_);
    return all;
}

int Parameters::store_of(int layer) const {
    const int first = begin(layer);
    if (first == begin(layer + 1)) return -1;
    const Mirrored* const memory = places_[static_cast<size_t>(first)].memory;
    for (size_t i = 0; i < stores_.size(); ++i)
        if (memory == &stores_[i]->values || memory == &stores_[i]->state) return static_cast<int>(i);
    return -1;
}

std::vector<StepLock*> Parameters::locks() const {
    std::vector<StepLock*> all;
    for (const auto& store : stores_) all.push_back(&store->lock);
    return all;
}

uint64_t Parameters::version() const {
    uint64_t sum = 0;
    for (const auto& store : stores_) sum += store->version.load(std::memory_order_acquire);
    return sum;
}

void Parameters::changed() {
    for (const auto& store : stores_) store->version.fetch_add(1, std::memory_order_acq_rel);
}

}  // namespace striate
