#include "numpy.hpp"
#include "whole_class.hpp"

namespace striate::bindings {

void register_losses(py::module_& m) {
    whole_class<Loss, std::shared_ptr<Loss>>(m, "Loss")
        .def_property_readonly("type", &Loss::type)
        .def("config", [](const Loss& loss) { return to_dict(loss.config()); })
        .def_property_readonly("from_logits", &Loss::from_logits)
        .def_property_readonly("target_dtype",
                               [](const Loss& loss) { return std::string(name_of(loss.target_type())); })
        .def("takes_labels", &Loss::takes_labels, py::arg("output"))
        .def(
            "target_shape",
            [](const Loss& loss, const Shape& output, const std::string& layer) {
                return to_tuple(loss.target_shape(output, layer));
            },
            py::arg("output"), py::arg("layer"));

    m.def("loss_types", &loss_types);
    m.def(
        "make_loss",
        [](const std::string& type, const py::dict& config) {
            return without_const(make_loss(type, to_config(config, type)));
        },
        py::arg("type"), py::arg("config"));
}

}  // namespace striate::bindings
