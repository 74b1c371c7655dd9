#include <algorithm>

#include "numpy.hpp"
#include "own.hpp"
#include "whole_class.hpp"

namespace striate::bindings {
namespace {

using SymbolHolder = std::shared_ptr<SymbolNode>;

const ParameterInfo& parameter(const Model& model, size_t index) {
    if (index >= model.parameters().size()) throw py::index_error("no such parameter");
    return model.parameters()[index];
}

// All values or, where one does not fit, none.
void set_values(Model& model, const std::vector<std::pair<size_t, py::array>>& values) {
    std::vector<std::pair<size_t, const float*>> copies;
    for (const auto& [index, value] : values) {
        const ParameterInfo& info = parameter(model, index);
        copies.emplace_back(index, borrow_weight(value, info.shape, info.name));
    }
    const WithoutGil released;
    model.write([&] {
        for (const auto& [index, data] : copies) model.write_parameter(index, data);
    });
}

// Copies of one moment, between two steps of a training that another thread may run.
py::list copies_of(const Model& model, const std::vector<size_t>& indices, bool gradients) {
    py::list result;
    std::vector<std::pair<size_t, float*>> copies;
    for (const size_t index : indices) {
        py::array_t<float> copy(parameter(model, index).shape);
        copies.emplace_back(index, copy.mutable_data());
        result.append(std::move(copy));
    }
    std::vector<char> there(copies.size(), 0);
    {
        const WithoutGil released;
        model.read([&] {
            for (size_t i = 0; i < copies.size(); ++i) {
                const auto [index, to] = copies[i];
                if (!gradients) model.read_parameter(index, to);
                there[i] = !gradients || model.read_gradient(index, to);
            }
        });
    }
    for (size_t i = 0; i < there.size(); ++i)
        if (!there[i]) result[i] = py::none();
    return result;
}

py::tuple node_of(const Graph::Node& node) {
    return py::make_tuple(node.layer, py::cast(node.inputs), to_tuple(node.shape));
}

py::list nodes_of(const Model& model) {
    py::list result;
    for (const Graph::Node& node : model.graph().nodes) result.append(node_of(node));
    return result;
}

std::vector<size_t> nodes_in(const Model& model, Mode mode) {
    std::vector<size_t> found;
    for (size_t i = 0; i < model.graph().nodes.size(); ++i)
        if (model.graph().nodes[i].mode == mode) found.push_back(i);
    return found;
}

py::tuple layer_of(const Graph::LayerEntry& entry) {
    return py::make_tuple(without_const(entry.layer), entry.name, entry.first_node);
}

py::list layers_of(const Model& model) {
    py::list result;
    for (const Graph::LayerEntry& entry : model.graph().layers) result.append(layer_of(entry));
    return result;
}

template <class T>
const T& checked_at(const std::vector<T>& list, size_t index, const char* what) {
    if (index >= list.size()) throw py::index_error(concat("no such ", what));
    return list[index];
}

// The places of a layer's parameters in the list of all, which is ordered by layer.
std::pair<size_t, size_t> parameters_of(const Model& model, int layer) {
    const std::vector<ParameterInfo>& all = model.parameters();
    const auto begin = std::partition_point(all.begin(), all.end(), [&](const auto& p) { return p.layer < layer; });
    const auto end = std::partition_point(begin, all.end(), [&](const auto& p) { return p.layer == layer; });
    return {begin - all.begin(), end - all.begin()};
}

void register_parameters(py::module_& m) {
    whole_class<ParameterInfo>(m, "ParameterInfo")
        .def_readonly("name", &ParameterInfo::name)
        .def_property_readonly("shape", [](const ParameterInfo& info) { return to_tuple(info.shape); })
        .def_readonly("layer", &ParameterInfo::layer)
        .def_readonly("trainable", &ParameterInfo::trainable);
}

}  // namespace

void register_model(py::module_& m) {
    register_parameters(m);

    whole_class<Model>(m, "Model")
        .def(py::init(
                 [](const std::vector<SymbolHolder>& inputs, const std::vector<SymbolHolder>& outputs, uint64_t seed) {
                     return std::make_unique<Model>(std::vector<Symbol>(inputs.begin(), inputs.end()),
                                                    std::vector<Symbol>(outputs.begin(), outputs.end()), seed);
                 }),
             py::arg("inputs"), py::arg("outputs"), py::arg("seed"))
        .def_property_readonly("seed", &Model::seed)
        .def_property(
            "fusion", [](const Model& model) { return model.plan_options().fusion; },
            [](Model& model, bool value) {
                PlanOptions options = model.plan_options();
                options.fusion = value;
                model.set_plan_options(options);
            })
        .def_property(
            "winograd", [](const Model& model) { return model.plan_options().winograd; },
            [](Model& model, bool value) {
                PlanOptions options = model.plan_options();
                options.winograd = value;
                model.set_plan_options(options);
            })
        .def_property("device", &Model::device,
                      [](Model& model, const std::string& name) {
                          const WithoutGil released;  // it waits for the end of a step
                          model.set_device(name);
                      })
        .def_property_readonly("nodes", &nodes_of)
        .def_property_readonly("layers", &layers_of)
        .def(
            "node",
            [](const Model& model, size_t index) { return node_of(checked_at(model.graph().nodes, index, "node")); },
            py::arg("index"))
        .def(
            "layer",
            [](const Model& model, size_t index) { return layer_of(checked_at(model.graph().layers, index, "layer")); },
            py::arg("index"))
        .def("parameters_of", &parameters_of, py::arg("layer"))
        .def("parameter", &parameter, py::arg("index"))
        .def_property_readonly("input_nodes", [](const Model& model) { return model.graph().inputs; })
        .def_property_readonly("output_nodes", [](const Model& model) { return model.graph().outputs; })
        .def(
            "find_layer", [](const Model& model, const std::string& name) { return model.graph().find_layer(name); },
            py::arg("name"))
        .def_property_readonly("input_shapes", [](const Model& model) { return to_tuples(model.input_shapes()); })
        .def_property_readonly("output_shapes", [](const Model& model) { return to_tuples(model.output_shapes()); })
        // The model's lock is taken without the GIL: a thread that holds it may wait for the GIL.
        .def("trainable", &Model::trainable, py::arg("layer"))
        // Of each memory of weights: a number that no other has, and a layer whose weights are in it.
        .def_property_readonly("stores", &Model::weight_stores)
        .def_property_readonly("inference_nodes", [](const Model& model) { return nodes_in(model, Mode::inference); })
        .def_property_readonly("training_nodes", [](const Model& model) { return nodes_in(model, Mode::training); })
        .def("arena_bytes", &Model::arena_bytes, py::arg("batch"), py::arg("training"), py::call_guard<WithoutGil>())
        .def_property_readonly("weights_version", &Model::weights_version)
        .def_property_readonly("parameters",
                               [](const Model& model) {
                                   std::vector<ParameterInfo> infos;
                                   const WithoutGil released;
                                   model.read([&] { infos = model.parameters(); });
                                   return infos;
                               })
        .def(
            "values",
            [](const Model& model, const std::vector<size_t>& indices) { return copies_of(model, indices, false); },
            py::arg("indices"))
        .def(
            "gradients",
            [](const Model& model, const std::vector<size_t>& indices) { return copies_of(model, indices, true); },
            py::arg("indices"))
        .def("set_values", &set_values, py::arg("values"))
        // In what follows the GIL is released while the core computes: it sees borrowed memory and no Python object.
        .def(
            "predict_into",
            [](const Model& model, const std::vector<py::array>& inputs, int64_t batch_size,
               const std::vector<py::array>& outputs) {
                const std::vector<Array> arrays = borrow_all(inputs, "predict: x");
                const std::vector<Shape> shapes = model.output_shapes();
                require(outputs.size() == shapes.size(), "predict: the model has ", shapes.size(),
                        " outputs, got memory for ", outputs.size());
                std::vector<float*> memory;
                for (size_t i = 0; i < outputs.size(); ++i) {
                    Shape shape = shapes[i];
                    shape.insert(shape.begin(), arrays.empty() || arrays[0].shape.empty() ? 0 : arrays[0].shape[0]);
                    memory.push_back(borrow_output(outputs[i], shape, "predict: out"));
                }
                computing(has_own_code(model), [&] { model.predict_into(arrays, batch_size, memory, SignalCheck()); });
            },
            py::arg("inputs"), py::arg("batch_size"), py::arg("outputs"))
        .def(
            "predict_nodes",
            [](const Model& model, const std::vector<py::array>& inputs, const std::vector<int>& nodes,
               int64_t batch_size) {
                const std::vector<Array> arrays = borrow_all(inputs, "feature_maps: x");
                return to_numpy(computing(has_own_code(model), [&] {
                    return model.predict_nodes(arrays, nodes, batch_size, SignalCheck());
                }));
            },
            py::arg("inputs"), py::arg("nodes"), py::arg("batch_size"))
        .def(
            "profile",
            [](const Model& model, const std::vector<py::array>& inputs, const std::vector<int64_t>& firsts,
               int64_t count) {
                const std::vector<Array> arrays = borrow_all(inputs, "profile: x");
                return computing(has_own_code(model),
                                 [&] { return model.profile(arrays, firsts, count, check_signals); });
            },
            py::arg("inputs"), py::arg("firsts"), py::arg("count"))
        .def(
            "forward",
            [](Model& model, const std::vector<py::array>& inputs, bool training) {
                const std::vector<Array> arrays = borrow_all(inputs, "forward: x");
                return to_numpy(computing(has_own_code(model), [&] { return model.forward(arrays, training); }));
            },
            py::arg("inputs"), py::arg("training"))
        .def(
            "backward",
            [](Model& model, const std::vector<py::array>& output_gradients) {
                const std::vector<Array> arrays = borrow_all(output_gradients, "backward: grad_output");
                return to_numpy(computing(has_own_code(model), [&] { return model.backward(arrays); }));
            },
            py::arg("output_gradients"))
        .def(
            "node_gradients",
            [](Model& model, const std::vector<py::array>& inputs, const std::vector<py::array>& output_gradients,
               const std::vector<int>& nodes) {
                const std::vector<Array> arrays = borrow_all(inputs, "node_gradients: x");
                const std::vector<Array> gradients = borrow_all(output_gradients, "node_gradients: grad_output");
                Model::NodeGradients result =
                    computing(has_own_code(model), [&] { return model.node_gradients(arrays, gradients, nodes); });
                return py::make_tuple(to_numpy(std::move(result.values)), to_numpy(std::move(result.gradients)));
            },
            py::arg("inputs"), py::arg("output_gradients"), py::arg("nodes"));
}

}  // namespace striate::bindings
