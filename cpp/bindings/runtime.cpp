#include "numpy.hpp"

namespace striate::bindings {

void register_runtime(py::module_& m) {
    m.def("runtime_info", [] {
        const RuntimeInfo info = runtime_info();
        py::dict result;
        result["version"] = info.version;
        result["compiler"] = info.compiler;
        result["isa"] = info.isa;
        result["openmp"] = info.openmp;
        result["available_isas"] = info.available_isas;
        result["threads"] = info.threads;
        return result;
    });
    m.def("cuda_description", &cuda_description, py::call_guard<WithoutGil>());
    m.def("set_cuda_plugin", &set_cuda_plugin, py::arg("path"));
    m.def("cuda_kernels", &cuda_kernels, py::call_guard<WithoutGil>());
    m.def("checked_device", &checked_device, py::arg("name"), py::call_guard<WithoutGil>());
    m.def("set_num_threads", &set_num_threads, py::arg("count"));
    m.def("get_num_threads", &get_num_threads);
    set_warning_handler([](const std::string& message) {
        const WithGil held;
        // Where warnings are errors, the call that was under way ends with it.
        if (PyErr_WarnEx(PyExc_RuntimeWarning, message.c_str(), 1) != 0) throw py::error_already_set();
    });
    m.def("startable_threads", &startable_threads, py::arg("count"), py::call_guard<WithoutGil>());
    m.def("warn_of_few_threads", &warn_of_few_threads, py::arg("consequence"));
    m.def("use_training_kernels", &use_training_kernels);
    m.def("set_seed", &set_seed, py::arg("seed"));
    m.def("next_seed", &next_seed);

    m.def("initializer_names", &initializer_names);
    m.def("check_initializer", &check_initializer, py::arg("initializer"), py::arg("owner"));
    m.def(
        "check_regularizer",
        [](const std::optional<std::string>& regularizer, const std::string& owner) {
            const Penalty penalty = penalty_of(regularizer, owner);
            return std::pair(penalty.l1, penalty.l2);
        },
        py::arg("regularizer"), py::arg("owner"));
    m.def(
        "initialize",
        [](const std::string& initializer, Shape shape, uint64_t seed) {
            Tensor result(std::move(shape));
            {
                // Numbers are drawn into memory of the core's own.
                const WithoutGil released;
                initialize(initializer, result.shape(), seed, 0, result.data(), initializer);
            }
            return to_numpy(std::move(result));
        },
        py::arg("initializer"), py::arg("shape"), py::arg("seed"));
    m.def(
        "permutation",
        [](uint64_t seed, uint64_t epoch, int64_t count) {
            const std::vector<int64_t> order = permutation(seed, epoch, count);
            return py::array_t<int64_t>(static_cast<py::ssize_t>(order.size()), order.data());
        },
        py::arg("seed"), py::arg("epoch"), py::arg("count"));
}

}  // namespace striate::bindings
