#include "bindings.hpp"
#include "exchange.hpp"

namespace striate::bindings {

py::handle distributed_error() {
    static PyObject* const error =
        PyErr_NewExceptionWithDoc("striate.distributed.DistributedError",
                                  "A process that takes part in a training failed, or cannot be reached: the message "
                                  "names it.",
                                  PyExc_RuntimeError, nullptr);
    return error;
}

void register_errors(py::module_& m) {
    m.attr("DistributedError") = distributed_error();
    // std::bad_alloc is MemoryError by pybind11's own table.
    py::register_local_exception_translator([](std::exception_ptr pending) {
        try {
            if (pending) std::rethrow_exception(pending);
        } catch (const DistributedError& error) {
            py::set_error(distributed_error(), error.what());
        } catch (const TypeError& error) {
            py::set_error(PyExc_TypeError, error.what());
        } catch (const ValueError& error) {
            py::set_error(PyExc_ValueError, error.what());
        } catch (const FileError& error) {
            // Python itself picks the subclass by errno: FileNotFoundError, PermissionError, ... It is made here, since
            // before Python 3.11 `except` looks at the class that was set. A path need not be UTF-8.
            py::object message = py::reinterpret_steal<py::object>(PyUnicode_DecodeFSDefault(error.what()));
            py::object made = py::handle(PyExc_OSError)(error.code(), message);
            PyErr_SetObject(py::type::handle_of(made).ptr(), made.ptr());
        }
    });
}

}  // namespace striate::bindings
