#include "bindings.hpp"

namespace striate::bindings {

// Paths come as bytes in the file system's encoding. Disks are slow and no Python object is touched: the GIL is
// released.
void register_io(py::module_& m) {
    using Release = py::call_guard<WithoutGil>;
    m.def("save_model", &save_model, py::arg("model"), py::arg("path"), py::arg("extra"), Release());
    m.def("save_weights", &save_weights, py::arg("model"), py::arg("path"), Release());
    m.def("load_weights", &load_weights, py::arg("model"), py::arg("path"), Release());
    m.def(
        "load_model",
        [](const std::string& path) {
            Metadata extra;
            Model model = load_model(path, &extra);
            return std::make_pair(std::make_unique<Model>(std::move(model)), std::move(extra));
        },
        py::arg("path"), Release());
    m.def("architecture_json", &architecture_json, py::arg("model"), Release());
    m.def("model_from_json", &model_from_json, py::arg("json"), py::arg("seed"), Release());
}

}  // namespace striate::bindings
