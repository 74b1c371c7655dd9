// What the files of this folder share.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <chrono>
#include <memory>

#include "gil.hpp"
#include "striate/striate.hpp"

namespace striate::bindings {

namespace py = pybind11;

void register_errors(py::module_& m);
void register_runtime(py::module_& m);
void register_turn(py::module_& m);
void register_profile(py::module_& m);
void register_layers(py::module_& m);
void register_losses(py::module_& m);
void register_optimizers(py::module_& m);
void register_model(py::module_& m);
void register_models(py::module_& m);
void register_trainer(py::module_& m);
void register_augmentation(py::module_& m);
void register_io(py::module_& m);
void register_detection(py::module_& m);
void register_own(py::module_& m);

// Arguments of layers, losses and optimizers. `owner` is for messages: "Conv2D".
Config to_config(const py::dict& arguments, const std::string& owner);
py::dict to_dict(const Config& config);

// pybind11 holds no pointer to const. Only const members are bound, so that nothing can change what this points to.
template <class T>
std::shared_ptr<T> without_const(const std::shared_ptr<const T>& pointer) {
    return std::const_pointer_cast<T>(pointer);
}

// Between pieces of a long call, by a thread without the GIL: Ctrl-C ends it.
void check_signals();

// The same, at most every 50 ms: for pieces that may be short.
class SignalCheck {
  public:
    void operator()() {
        const Clock::time_point now = Clock::now();
        if (now < next_) return;
        check_signals();
        next_ = Clock::now() + std::chrono::milliseconds(50);
    }

  private:
    using Clock = std::chrono::steady_clock;
    Clock::time_point next_ = Clock::now() + std::chrono::milliseconds(50);
};

inline py::tuple to_tuple(const Shape& shape) {
    py::tuple result(shape.size());
    for (size_t i = 0; i < shape.size(); ++i) result[i] = py::int_(shape[i]);
    return result;
}

inline py::list to_tuples(const std::vector<Shape>& shapes) {
    py::list result;
    for (const Shape& shape : shapes) result.append(to_tuple(shape));
    return result;
}

}  // namespace striate::bindings
