#include "io/weights.hpp"

#include <algorithm>
#include <unordered_set>

#include "graph/model_state.hpp"
#include "striate/io.hpp"
#include "suggest.hpp"

namespace striate {
namespace {

using io::SafetensorsFile;

struct Expected {
    std::string name;
    Shape shape;
};

std::vector<Expected> weights_of(const Graph& graph, const Graph::LayerEntry& entry) {
    std::vector<Expected> weights;
    for (const Parameter& p : entry.layer->parameters(graph.input_shapes(entry.first_node)))
        weights.push_back({entry.name + "/" + p.name, p.shape});
    return weights;
}

std::string layer_of(const std::string& weight) {
    return weight.substr(0, weight.rfind('/'));
}

// Why a tensor of the file cannot be read as this weight; "" where it can.
std::string mismatch(const Expected& weight, const SafetensorsFile& file) {
    const SafetensorsFile::Entry* entry = file.find(weight.name);
    if (!entry) return concat("the file has no tensor ", quoted(weight.name), ", which the model needs");
    if (entry->shape != weight.shape)
        return concat("tensor ", quoted(weight.name), " has shape ", to_string(entry->shape),
                      " in the file, and the model needs ", to_string(weight.shape));
    if (entry->type != "F32")
        return concat("tensor ", quoted(weight.name), " is of type ", entry->type,
                      " in the file, and the model needs F32; convert it to float32");
    return "";
}

// Which layers of a file are read into a model.
struct Match {
    std::unordered_set<std::string> layers;
    std::vector<SkippedLayer> skipped;
};

Match match(const Graph& graph, const SafetensorsFile& file, const LoadOptions& options) {
    std::unordered_set<std::string> stored, known, names;
    for (const auto& entry : file.entries()) stored.insert(layer_of(entry.name));
    for (const Graph::LayerEntry& layer : graph.layers)
        for (const Expected& weight : weights_of(graph, layer)) names.insert(weight.name);

    Match result;
    for (const Graph::LayerEntry& layer : graph.layers) {
        const std::vector<Expected> weights = weights_of(graph, layer);
        known.insert(layer.name);
        if (weights.empty() || (options.by_name && !stored.contains(layer.name))) continue;
        std::string reason;
        for (const Expected& weight : weights)
            if (reason.empty()) reason = mismatch(weight, file);
        for (const auto& entry : file.entries())
            if (reason.empty() && layer_of(entry.name) == layer.name && !names.contains(entry.name))
                reason = concat("the file has a tensor ", quoted(entry.name), ", for which the model has no place");
        if (reason.empty()) {
            result.layers.insert(layer.name);
        } else {
            require(options.skip_mismatch, reason, "; skip_mismatch=True leaves such layers as they are");
            result.skipped.push_back({layer.name, reason});
        }
    }
    for (const auto& entry : file.entries()) {
        const std::string layer = layer_of(entry.name);
        if (!options.by_name && known.insert(layer).second)
            result.skipped.push_back({layer, "the file has such a layer, the model has none"});
    }
    require(!result.layers.empty() || names.empty(), "no layer of the file fits the model; nothing was read",
            result.skipped.empty() ? "" : ": " + result.skipped.front().reason);
    return result;
}

void check_all(const Graph& graph, const SafetensorsFile& file) {
    std::vector<std::string> names;
    for (const Graph::LayerEntry& layer : graph.layers)
        for (const Expected& weight : weights_of(graph, layer)) {
            const std::string reason = mismatch(weight, file);
            require(reason.empty(), reason);
            names.push_back(weight.name);
        }
    if (file.entries().size() == names.size()) return;
    const std::unordered_set<std::string> known(names.begin(), names.end());
    for (const auto& entry : file.entries())
        require(known.contains(entry.name), "the file has a tensor ", quoted(entry.name),
                ", which fits no weight of the model; ", suggestion(entry.name, names));
}

}  // namespace

void io::check_weights(const Graph& graph, const SafetensorsFile& file) {
    check_all(graph, file);
}

void io::read_weights(Model& model, const SafetensorsFile& file) {
    model.write([&] {
        Parameters& parameters = model.state().parameters;
        for (size_t i = 0; i < parameters.infos().size(); ++i)
            file.read(*file.find(parameters.infos()[i].name), parameters.change(static_cast<int>(i)));
    });
}

std::vector<SkippedLayer> load_weights(Model& model, const std::string& path, const LoadOptions& options) {
    return io::reading(path, [&] {
        const SafetensorsFile file(path);
        const Graph& graph = model.graph();
        const bool strict = !options.skip_mismatch && !options.by_name;
        if (strict) check_all(graph, file);
        Match found = strict ? Match{} : match(graph, file, options);
        // Reading may fail at any tensor; until all are there, nothing is changed.
        std::vector<std::pair<int, io::StagedTensor>> staged;
        Parameters& parameters = model.state().parameters;
        for (size_t i = 0; i < parameters.infos().size(); ++i) {
            const ParameterInfo& parameter = parameters.infos()[i];
            if (strict || found.layers.contains(graph.layers[static_cast<size_t>(parameter.layer)].name))
                staged.emplace_back(static_cast<int>(i),
                                    io::StagedTensor(file, parameter.name, element_count(parameter.shape)));
        }
        model.write([&] {
            std::vector<float*> places;
            for (const auto& [index, tensor] : staged) places.push_back(parameters.change(index));
            for (size_t i = 0; i < staged.size(); ++i) staged[i].second.commit(places[i]);
        });
        return std::move(found.skipped);
    });
}

}  // namespace striate
