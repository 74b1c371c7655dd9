// Classes whose objects exist whole or not at all, also when memory runs out while Python's object is made.
#pragma once

#include "bindings.hpp"

namespace striate::bindings {

// pybind11 points Python's object at the C++ object before it registers it. When registering fails, both the factory's
// holder and Python's object delete the C++ object. This takes the pointer back.
template <class T, class Holder>
struct Whole {
    using Initialize = void (*)(py::detail::instance*, const void*);

    static inline Initialize initialize = nullptr;  // of pybind11

    static void call(py::detail::instance* self, const void* holder) {
        py::detail::type_info* const type = py::detail::get_type_info(typeid(T));
        py::detail::value_and_holder value = self->get_value_and_holder(type);
        try {
            initialize(self, holder);
        } catch (...) {
            if (value.instance_registered()) {
                // The holder's constructor failed, and deleted the object.
                py::detail::deregister_instance(self, value.value_ptr(), type);
                value.set_instance_registered(false);
            } else if (!holder && self->owned) {
                delete value.value_ptr<T>();
            }
            value.value_ptr() = nullptr;
            throw;
        }
    }
};

// In place of py::class_. Constructors must be factories that return the holder: what pybind11 does after any other one
// cannot fail without ending the process. No call policy or return value may use py::keep_alive or
// py::return_value_policy::reference_internal: a failure in them ends the process too.
template <class T, class Holder = std::unique_ptr<T>>
py::class_<T, Holder> whole_class(py::handle scope, const char* name) {
    py::class_<T, Holder> made(scope, name);
    py::detail::type_info* const type = py::detail::get_type_info(typeid(T));
    Whole<T, Holder>::initialize = type->init_instance;
    type->init_instance = &Whole<T, Holder>::call;
    return made;
}

}  // namespace striate::bindings
