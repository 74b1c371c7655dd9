// Somebody else's extension module, which predicts with the library of the striate that is installed beside it.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstring>
#include <striate/io.hpp>

namespace py = pybind11;

PYBIND11_MODULE(consumer, m) {
    py::register_exception<striate::ValueError>(m, "Refused", PyExc_ValueError);
    m.def("predict", [](const std::string& path, const py::array_t<float, py::array::c_style>& x) {
        const striate::Model model = striate::load_model(path);
        const striate::Shape shape(x.shape(), x.shape() + x.ndim());
        const std::vector<striate::Tensor> y = model.predict({{x.data(), striate::DType::float32, shape}});
        py::array_t<float> out(std::vector<py::ssize_t>(y[0].shape().begin(), y[0].shape().end()));
        std::memcpy(out.mutable_data(), y[0].data(), static_cast<size_t>(y[0].size()) * sizeof(float));
        return out;
    });
}
