#include "numpy.hpp"
#include "whole_class.hpp"

namespace striate::bindings {
namespace {

// (…, 2): begin and end in seconds, as NumPy sees them.
py::array_t<double> times(const std::vector<Profile::Span>& spans, std::vector<py::ssize_t> shape) {
    static_assert(sizeof(Profile::Span) == 2 * sizeof(double));
    shape.push_back(2);
    return py::array_t<double>(std::move(shape), reinterpret_cast<const double*>(spans.data()));
}

py::ssize_t size(size_t count) {
    return static_cast<py::ssize_t>(count);
}

}  // namespace

void check_signals() {
    const WithGil held;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
}

void register_profile(py::module_& m) {
    whole_class<Profile::Step>(m, "ProfiledStep")
        .def_readonly("layer", &Profile::Step::layer)
        .def_readonly("what", &Profile::Step::what)
        .def_property_readonly("pass_", [](const Profile::Step& step) { return step.pass; })
        .def_readonly("flops", &Profile::Step::flops)
        .def_readonly("bytes", &Profile::Step::bytes)
        .def_readonly("shared", &Profile::Step::shared);

    whole_class<Profile>(m, "Profile")
        .def_property_readonly("steps", [](const Profile& p) { return p.steps; })
        .def_readonly("threads", &Profile::threads)
        .def_property_readonly("runs", [](const Profile& p) { return times(p.runs, {size(p.runs.size())}); })
        .def_property_readonly("spans", [](const Profile& p) {
            return times(p.spans, {size(p.runs.size()), size(p.steps.size()), p.threads});
        });

    m.def("measure_limits", [] {
        MachineLimits limits;
        {
            // It copies memory of its own.
            const WithoutGil released;
            limits = measure_limits();
        }
        py::list copies;
        for (const MachineLimits::Copy& copy : limits.copies)
            copies.append(py::make_tuple(copy.bytes, copy.bytes_per_second));
        return py::make_tuple(limits.flops_per_second, copies);
    });
}

}  // namespace striate::bindings
