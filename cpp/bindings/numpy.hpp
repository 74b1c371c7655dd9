// The only crossing between NumPy's arrays and the core's. Nothing is copied or converted on the way in:
// striate/_arrays.py has made the arrays fit, and what does not fit is an error.
#pragma once

#include <pybind11/numpy.h>

#include <string>
#include <vector>

#include "bindings.hpp"

namespace striate::bindings {

// A view of the array's memory, which must outlive it.
Array borrow(const py::array& array, const std::string& what);
std::vector<Array> borrow_all(const std::vector<py::array>& arrays, const std::string& what);
// Without data where there is none.
std::vector<Array> borrow_all(const std::vector<std::optional<py::array>>& arrays, const std::string& what);

// The values for a weight of this shape and name. Throws unless they are float32 and fit.
const float* borrow_weight(const py::array& value, const Shape& shape, const std::string& name);

// The memory of a writable float32 array of exactly this shape.
float* borrow_output(const py::array& array, const Shape& shape, const std::string& what);

// An array that owns the tensor's memory.
py::array to_numpy(Tensor&& tensor);
py::list to_numpy(std::vector<Tensor>&& tensors);
py::array copy_to_numpy(const float* data, const Shape& shape);

Shape shape_of(const py::array& array);

}  // namespace striate::bindings
