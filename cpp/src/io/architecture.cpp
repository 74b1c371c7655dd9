#include "io/architecture.hpp"

#include "io/json.hpp"
#include "striate/error.hpp"
#include "suggest.hpp"

namespace striate::io {
namespace {

constexpr const char* kFormat = "striate";
constexpr int64_t kVersion = 2;
constexpr int kDepth = 16;
constexpr const char* kWhat = "the architecture";

void check_version(const Json& json) {
    const std::string& format = string_member(json, "format", kWhat);
    require(format == kFormat, kWhat, " is of the format ", quoted(format), ", expected '", kFormat, "'");
    const Json& version = member(json, "version", kWhat);
    require(version.is_number_unsigned() && version.get<uint64_t>() >= 1, kWhat,
            ": 'version' is not a positive integer");
    require(version.get<uint64_t>() <= kVersion, kWhat, " is of version ", version.get<uint64_t>(),
            ", and this striate reads versions up to ", kVersion, "; install a newer one");
}

std::vector<LayerPtr> read_layers(const Json& json) {
    std::vector<LayerPtr> layers;
    for (const Json& item : array_member(json, "layers", kWhat)) {
        const std::string where = concat("layer ", layers.size());
        const std::string& name = string_member(item, "name", where);
        require(!name.empty(), where, " has an empty name");
        const Config config = config_of(member(item, "config", where), "layer " + quoted(name));
        layers.push_back(make_layer(string_member(item, "type", where), config, name));
    }
    return layers;
}

std::vector<Symbol> read_nodes(const Json& json, const std::vector<LayerPtr>& layers) {
    std::vector<Symbol> nodes;
    for (const Json& item : array_member(json, "nodes", kWhat)) {
        const std::string where = concat("node ", nodes.size());
        const auto layer =
            index_of(member(item, "layer", where), static_cast<int64_t>(layers.size()), where + ": 'layer'");
        std::vector<Symbol> inputs;
        for (const Json& source : array_member(item, "inputs", where))
            inputs.push_back(nodes[index_of(source, static_cast<int64_t>(nodes.size()), where + ": an input")]);
        Mode mode = Mode::of_run;
        for (const auto& [name, fixed] : {std::pair("inference", Mode::inference), {"training", Mode::training}}) {
            const auto found = item.find(name);
            if (found == item.end()) continue;
            require(found->is_boolean(), where, ": '", name, "' is neither true nor false");
            if (found->get<bool>()) mode = fixed;
        }
        nodes.push_back(striate::apply(layers[layer], inputs, mode));
    }
    return nodes;
}

std::vector<Symbol> read_ends(const Json& json, const char* name, const std::vector<Symbol>& nodes) {
    std::vector<Symbol> ends;
    for (const Json& item : array_member(json, name, kWhat))
        ends.push_back(nodes[index_of(item, static_cast<int64_t>(nodes.size()), concat("one of the ", name))]);
    return ends;
}

// A config without the regularizers that a layer does not have: programs that know none read it.
Config written(const Config& config) {
    constexpr std::string_view kEnd = "_regularizer";
    Config kept;
    for (const auto& [name, value] : config.entries()) {
        const bool regularizer = name.size() > kEnd.size() && name.substr(name.size() - kEnd.size()) == kEnd;
        if (!regularizer || !std::holds_alternative<Null>(value)) kept.set(name, value);
    }
    return kept;
}

}  // namespace

std::string write_architecture(const Model& model) {
    const Graph& graph = model.graph();
    Json layers = Json::array(), nodes = Json::array(), frozen = Json::array();
    for (const Graph::LayerEntry& entry : graph.layers) {
        layers.push_back(
            {{"type", entry.layer->type()}, {"name", entry.name}, {"config", json_of(written(entry.layer->config()))}});
        if (!model.trainable(entry.name)) frozen.push_back(entry.name);
    }
    bool modes = false;
    for (const Graph::Node& node : graph.nodes) {
        nodes.push_back({{"layer", node.layer}, {"inputs", node.inputs}});
        if (node.mode != Mode::of_run) nodes.back()[node.mode == Mode::training ? "training" : "inference"] = true;
        modes |= node.mode != Mode::of_run;
    }
    return dump_json({{"format", kFormat},
                      {"version", modes ? kVersion : 1},  // as old as can be, so that older programs read it
                      {"seed", model.seed()},
                      {"layers", std::move(layers)},
                      {"nodes", std::move(nodes)},
                      {"inputs", graph.inputs},
                      {"outputs", graph.outputs},
                      {"frozen", std::move(frozen)}});
}

Architecture read_architecture(const std::string& text) {
    const Json json = parse_json(text, kDepth, kWhat);
    check_version(json);
    Architecture read;
    const Json& seed = member(json, "seed", kWhat);
    require(seed.is_number_unsigned(), kWhat, ": 'seed' is not an integer from 0 to 2^64 - 1");
    read.seed = seed.get<uint64_t>();
    try {
        const std::vector<Symbol> nodes = read_nodes(json, read_layers(json));
        read.inputs = read_ends(json, "inputs", nodes);
        read.outputs = read_ends(json, "outputs", nodes);
    } catch (const TypeError& error) {  // of an argument: from a file, it is the file that does not fit
        throw ValueError(error.what());
    }
    for (const Json& name : array_member(json, "frozen", kWhat)) {
        require(name.is_string(), kWhat, ": 'frozen' must hold names of layers");
        read.frozen.push_back(name.get<std::string>());
    }
    return read;
}

}  // namespace striate::io
