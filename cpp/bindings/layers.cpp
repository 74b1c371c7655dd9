// Layers as descriptions, and the symbols that a network is drawn with.
#include "whole_class.hpp"

namespace striate::bindings {
namespace {

using LayerHolder = std::shared_ptr<Layer>;
using SymbolHolder = std::shared_ptr<SymbolNode>;

py::tuple pair_tuple(const Pair& pair) {
    return py::make_tuple(pair.h, pair.w);
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
        .def("multiply_adds", &Layer::multiply_adds, py::arg("inputs"));

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
        [](const LayerHolder& layer, const std::vector<SymbolHolder>& inputs) {
            return without_const(striate::apply(layer, std::vector<Symbol>(inputs.begin(), inputs.end())));
        },
        py::arg("layer"), py::arg("inputs"));
}

}  // namespace striate::bindings
