#include "striate/io.hpp"

#include <algorithm>

#include "io/architecture.hpp"
#include "io/safetensors.hpp"
#include "striate/error.hpp"
#include "suggest.hpp"

namespace striate {
namespace {

constexpr const char* kArchitectureKey = "striate";

struct Expected {
    std::string name;
    Shape shape;
};

std::vector<Expected> weights_of(const Graph& graph) {
    std::vector<Expected> weights;
    for (const Graph::LayerEntry& entry : graph.layers)
        for (const Parameter& p : entry.layer->parameters(graph.input_shapes(entry.first_node)))
            weights.push_back({entry.name + "/" + p.name, p.shape});
    return weights;
}

// Throws ValueError unless the file has exactly these weights.
void check_weights(const std::vector<Expected>& weights, const io::SafetensorsFile& file) {
    for (const Expected& weight : weights) {
        const io::SafetensorsFile::Entry* entry = file.find(weight.name);
        require(entry != nullptr, "the file has no tensor ", quoted(weight.name), ", which the model needs");
        require(entry->shape == weight.shape, "tensor ", quoted(weight.name), " has shape ", to_string(entry->shape),
                " in the file, and the model needs ", to_string(weight.shape));
        require(entry->type == "F32", "tensor ", quoted(weight.name), " is of type ", entry->type,
                " in the file, and the model needs F32; convert it to float32");
    }
    if (file.entries().size() == weights.size()) return;
    std::vector<std::string> names;
    for (const Expected& weight : weights) names.push_back(weight.name);
    for (const auto& entry : file.entries())
        require(std::find(names.begin(), names.end(), entry.name) != names.end(), "the file has a tensor ",
                quoted(entry.name), ", for which the model has no place; ", suggestion(entry.name, names));
}

void read_weights(Model& model, const io::SafetensorsFile& file) {
    model.write([&] {
        for (const ParameterInfo& parameter : model.parameters())
            file.read(*file.find(parameter.name), parameter.value);
    });
}

std::vector<io::NamedTensor> tensors_of(const Model& model) {
    std::vector<io::NamedTensor> tensors;
    for (const ParameterInfo& parameter : model.parameters())
        tensors.push_back({parameter.name, parameter.shape, parameter.value});
    return tensors;
}

// Everything that is wrong with a file's content names the file.
template <class Read>
auto reading(const std::string& path, Read&& read) {
    try {
        return read();
    } catch (const ValueError& error) {
        throw ValueError(concat("cannot load '", path, "': ", error.what()));
    }
}

Model model_of(const io::Architecture& architecture, uint64_t seed) {
    Model model(architecture.inputs, architecture.outputs, seed);
    for (const std::string& name : architecture.frozen) model.set_trainable(name, false);
    return model;
}

}  // namespace

void save_model(const Model& model, const std::string& path, const Metadata& extra) {
    Metadata metadata = extra;
    require(metadata.emplace(kArchitectureKey, architecture_json(model)).second, "save_model: the metadata key '",
            kArchitectureKey, "' is the architecture's; choose another");
    model.read([&] { io::write_safetensors(path, tensors_of(model), metadata); });
}

void save_weights(const Model& model, const std::string& path) {
    model.read([&] { io::write_safetensors(path, tensors_of(model), {}); });
}

Model load_model(const std::string& path, Metadata* extra) {
    return reading(path, [&] {
        const io::SafetensorsFile file(path);
        const auto json = file.metadata().find(kArchitectureKey);
        require(json != file.metadata().end(),
                "the file holds weights without an architecture; build the model and use load_weights");
        const io::Architecture architecture = io::read_architecture(json->second);
        check_weights(weights_of(Graph::build(architecture.inputs, architecture.outputs)), file);
        Model model = model_of(architecture, architecture.seed);
        read_weights(model, file);
        if (extra) {
            *extra = file.metadata();
            extra->erase(kArchitectureKey);
        }
        return model;
    });
}

void load_weights(Model& model, const std::string& path) {
    reading(path, [&] {
        const io::SafetensorsFile file(path);
        check_weights(weights_of(model.graph()), file);
        read_weights(model, file);
    });
}

std::string architecture_json(const Model& model) {
    return io::write_architecture(model);
}

Model model_from_json(const std::string& json, uint64_t seed) {
    return model_of(io::read_architecture(json), seed);
}

}  // namespace striate
