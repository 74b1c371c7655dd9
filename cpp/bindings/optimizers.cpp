#include "whole_class.hpp"

namespace striate::bindings {

void register_optimizers(py::module_& m) {
    whole_class<Schedule, std::shared_ptr<Schedule>>(m, "Schedule")
        .def_property_readonly("type", &Schedule::type)
        .def("config", [](const Schedule& schedule) { return to_dict(schedule.config()); })
        .def("at", &Schedule::at, py::arg("iteration"));

    whole_class<Optimizer, std::shared_ptr<Optimizer>>(m, "Optimizer")
        .def_property_readonly("type", &Optimizer::type)
        .def("config", [](const Optimizer& optimizer) { return to_dict(optimizer.config()); })
        .def_property_readonly("slots", &Optimizer::slots)
        .def("learning_rate", &Optimizer::learning_rate, py::arg("iteration"));

    m.def("schedule_types", &schedule_types);
    m.def("optimizer_types", &optimizer_types);
    m.def(
        "make_schedule",
        [](const std::string& type, const py::dict& config) {
            return without_const(make_schedule(type, to_config(config, type)));
        },
        py::arg("type"), py::arg("config"));
    m.def(
        "make_optimizer",
        [](const std::string& type, const py::dict& config) {
            return without_const(make_optimizer(type, to_config(config, type)));
        },
        py::arg("type"), py::arg("config"));
}

}  // namespace striate::bindings
