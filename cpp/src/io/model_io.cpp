#include "striate/io.hpp"

#include "graph/model_state.hpp"
#include "io/architecture.hpp"
#include "io/safetensors.hpp"
#include "io/weights.hpp"
#include "striate/error.hpp"

namespace striate {
namespace {

constexpr const char* kArchitectureKey = "striate";

// Within read().
std::vector<io::NamedTensor> tensors_of(const Model& model) {
    std::vector<io::NamedTensor> tensors;
    Parameters& parameters = model.state().parameters;
    for (size_t i = 0; i < parameters.infos().size(); ++i) {
        const ParameterInfo& parameter = parameters.infos()[i];
        tensors.push_back({parameter.name, parameter.shape, parameters.value(static_cast<int>(i))});
    }
    return tensors;
}

Model model_of(const io::Architecture& architecture, uint64_t seed) {
    Model model(architecture.inputs, architecture.outputs, seed);
    for (const std::string& name : architecture.frozen) model.set_trainable(name, false);
    return model;
}

}  // namespace

void save_model(const Model& model, const std::string& path, const Metadata& extra, bool overwrite) {
    Metadata metadata = extra;
    require(metadata.emplace(kArchitectureKey, architecture_json(model)).second, "save_model: the metadata key '",
            kArchitectureKey, "' is the architecture's; choose another");
    model.read([&] { io::write_safetensors(path, tensors_of(model), metadata, overwrite); });
}

void save_weights(const Model& model, const std::string& path, bool overwrite) {
    model.read([&] { io::write_safetensors(path, tensors_of(model), {}, overwrite); });
}

Model load_model(const std::string& path, Metadata* extra) {
    return io::reading(path, [&] {
        const io::SafetensorsFile file(path);
        const auto json = file.metadata().find(kArchitectureKey);
        require(json != file.metadata().end(),
                "the file holds weights without an architecture; build the model and use load_weights");
        const io::Architecture architecture = io::read_architecture(json->second);
        io::check_weights(Graph::build(architecture.inputs, architecture.outputs), file);
        Model model = model_of(architecture, architecture.seed);
        io::read_weights(model, file);
        if (extra) {
            *extra = file.metadata();
            extra->erase(kArchitectureKey);
        }
        return model;
    });
}

std::string architecture_json(const Model& model) {
    return io::write_architecture(model);
}

Model model_from_json(const std::string& json, uint64_t seed) {
    return model_of(io::read_architecture(json), seed);
}

}  // namespace striate
