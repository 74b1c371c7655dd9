// Layers as descriptions, and the symbols that a network is drawn with.
#include "numpy.hpp"
#include "whole_class.hpp"

namespace striate::bindings {
namespace {

using LayerHolder = std::shared_ptr<Layer>;
using SymbolHolder = std::shared_ptr<SymbolNode>;

py::tuple pair_tuple(const Pair& pair) {
    return py::make_tuple(pair.h, pair.w);
}

py::object layer_weights(const Layer& layer) {
    if (!layer.has_weights()) return py::none();
    py::list result;
    for (const Parameter& p : layer.weights()) result.append(py::make_tuple(p.name, to_tuple(p.shape), p.trainable));
    return std::move(result);
}

const Parameter& weight(const std::vector<Parameter>& weights, size_t index) {
    if (index >= weights.size()) throw py::index_error("no such weight");
    return weights[index];
}

py::list layer_values(const Layer& layer, const std::vector<size_t>& indices) {
    const std::vector<Parameter> weights = layer.weights();
    py::list result;
    std::vector<float*> memory;
    for (const size_t index : indices) {
        py::array_t<float> copy(weight(weights, index).shape);
        memory.push_back(copy.mutable_data());
        result.append(std::move(copy));
    }
    const WithoutGil released;
    layer.read_weights(indices, memory);
    return result;
}

// All values or, where one does not fit, none.
void set_layer_values(const Layer& layer, const std::vector<std::pair<size_t, py::array>>& values) {
    const std::vector<Parameter> weights = layer.weights();
    std::vector<size_t> which;
    std::vector<const float*> memory;
    for (const auto& [index, value] : values) {
        const Parameter& p = weight(weights, index);
        which.push_back(index);
        memory.push_back(borrow_weight(value, p.shape, concat(layer.label(), "/", p.name)));
    }
    const WithoutGil released;
    layer.write_weights(which, memory);
}

}  // namespace

void register_layers(py::module_& m) {
    whole_class<Layer, LayerHolder>(m, "Layer")
        .def_property_readonly("type", &Layer::type)
        .def_property_readonly("name", &Layer::name)
        .def_property_readonly("label", &Layer::label)
        .def("config", [](const Layer& layer) { return to_dict(layer.config()); })
        .def(
            "infer", [](const Layer& layer, const std::vector<Shape>& inputs) { return to_tuple(layer.infer(inputs)); },
            py::arg("inputs"))
        .def(
            "parameters",
            [](const Layer& layer, const std::vector<Shape>& inputs) {
                py::list result;
                for (const Parameter& p : layer.parameters(inputs))
                    result.append(py::make_tuple(p.name, to_tuple(p.shape), p.trainable));
                return result;
            },
            py::arg("inputs"))
        .def_property_readonly("window",
                               [](const Layer& layer) {
                                   const Window window = layer.window();
                                   return py::make_tuple(pair_tuple(window.size), pair_tuple(window.stride),
                                                         window.global);
                               })
        .def("multiply_adds", &Layer::multiply_adds, py::arg("inputs"))
        .def_property("trainable", &Layer::trainable, &Layer::set_trainable)
        // None before a model was built with the layer; else name, shape and whether training updates it, of each.
        .def_property_readonly("weights", &layer_weights)
        .def("values", &layer_values, py::arg("indices"))
        .def("set_values", &set_layer_values, py::arg("values"));

    whole_class<SymbolNode, SymbolHolder>(m, "Symbol")
        .def_property_readonly("shape", [](const SymbolNode& symbol) { return to_tuple(symbol.shape); })
        .def_property_readonly("layer", [](const SymbolNode& symbol) { return without_const(symbol.layer); })
        .def_property_readonly("inputs", [](const SymbolNode& symbol) {
            std::vector<SymbolHolder> inputs;
            for (const Symbol& input : symbol.inputs) inputs.push_back(without_const(input));
            return inputs;
        });

    m.def("layer_types", &layer_types);
    m.def("snake_case", &snake_case, py::arg("type"));
    m.def(
        "make_layer",
        [](const std::string& type, const py::dict& config, const std::string& name) {
            return without_const(make_layer(type, to_config(config, name.empty() ? snake_case(type) : name), name));
        },
        py::arg("type"), py::arg("config"), py::arg("name"));
    m.def(
        "input", [](Shape shape, const std::string& name) { return without_const(input(std::move(shape), name)); },
        py::arg("shape"), py::arg("name"));
    m.def(
        "apply",
        [](const LayerHolder& layer, const std::vector<SymbolHolder>& inputs, std::optional<bool> training) {
            const Mode mode = !training ? Mode::of_run : *training ? Mode::training : Mode::inference;
            return without_const(striate::apply(layer, std::vector<Symbol>(inputs.begin(), inputs.end()), mode));
        },
        py::arg("layer"), py::arg("inputs"), py::arg("training") = py::none());
}

}  // namespace striate::bindings
