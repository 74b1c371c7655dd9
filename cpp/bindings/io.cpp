#include "bindings.hpp"

namespace striate::bindings {

// Paths come as bytes in the file system's encoding. Disks are slow and no Python object is touched: the GIL is
// released.
void register_io(py::module_& m) {
    using Release = py::call_guard<WithoutGil>;
    m.def("save_model", &save_model, py::arg("model"), py::arg("path"), py::arg("extra"), py::arg("overwrite"),
          Release());
    m.def("save_weights", &save_weights, py::arg("model"), py::arg("path"), py::arg("overwrite"), Release());
    m.def(
        "load_weights",
        [](Model& model, const std::string& path, bool skip_mismatch, bool by_name) {
            std::vector<std::pair<std::string, std::string>> skipped;
            for (SkippedLayer& layer : load_weights(model, path, {skip_mismatch, by_name}))
                skipped.emplace_back(std::move(layer.name), std::move(layer.reason));
            return skipped;
        },
        py::arg("model"), py::arg("path"), py::arg("skip_mismatch"), py::arg("by_name"), Release());
    m.def(
        "write_file",
        [](const std::string& path, const py::bytes& data, bool overwrite, bool flush) {
            const std::string_view content = data;
            WithoutGil release;
            write_file(path, content.data(), content.size(), overwrite, flush);
        },
        py::arg("path"), py::arg("data"), py::arg("overwrite"), py::arg("flush"));
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
