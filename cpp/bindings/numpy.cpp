#include "numpy.hpp"

#include <cstring>

namespace striate::bindings {
namespace {

template <class T>
bool holds(const py::array& array) {
    return py::isinstance<py::array_t<T>>(array);
}

bool plain(const py::array& array) {
    constexpr int wanted = int{py::array::c_style} | int{py::detail::npy_api::NPY_ARRAY_ALIGNED_};
    return (array.flags() & wanted) == wanted;
}

DType type_of(const py::array& array, const std::string& what) {
    if (holds<float>(array)) return DType::float32;
    if (holds<uint8_t>(array)) return DType::uint8;
    if (holds<int64_t>(array)) return DType::int64;
    if (holds<int32_t>(array)) return DType::int32;
    throw TypeError(concat(what, " must be an array of float32, uint8, int32 or int64, got ",
                           py::str(array.dtype()).cast<std::string>()));
}

}  // namespace

Shape shape_of(const py::array& array) {
    return Shape(array.shape(), array.shape() + array.ndim());
}

Array borrow(const py::array& array, const std::string& what) {
    const DType type = type_of(array, what);
    require(plain(array), what, " must be a C-contiguous array; use np.ascontiguousarray");
    return {array.data(), type, shape_of(array)};
}

const float* borrow_weight(const py::array& value, const Shape& shape, const std::string& name) {
    const Array array = borrow(value, name);
    if (array.type != DType::float32) throw TypeError(name + " must be set from an array of float32");
    require(array.shape == shape, "[", name, "] has shape ", to_string(shape), ", got ", to_string(array.shape));
    return static_cast<const float*>(array.data);
}

std::vector<Array> borrow_all(const std::vector<py::array>& arrays, const std::string& what) {
    std::vector<Array> result;
    for (const py::array& array : arrays) result.push_back(borrow(array, what));
    return result;
}

std::vector<Array> borrow_all(const std::vector<std::optional<py::array>>& arrays, const std::string& what) {
    std::vector<Array> result;
    for (const std::optional<py::array>& array : arrays) result.push_back(array ? borrow(*array, what) : Array());
    return result;
}

float* borrow_output(const py::array& array, const Shape& shape, const std::string& what) {
    if (!holds<float>(array)) throw TypeError(what + " must be an array of float32");
    require(plain(array) && array.writeable(), what, " must be a writable C-contiguous array");
    require(shape_of(array) == shape, what, " must have shape ", to_string(shape), ", got ",
            to_string(shape_of(array)));
    return static_cast<float*>(const_cast<void*>(array.data()));
}

py::array to_numpy(Tensor&& tensor) {
    auto owned = std::make_unique<Tensor>(std::move(tensor));
    const Shape shape = owned->shape();
    float* data = owned->data();
    const py::capsule owner(owned.get(), [](void* memory) { delete static_cast<Tensor*>(memory); });
    (void)owned.release();
    return py::array_t<float>(shape, data, owner);
}

py::list to_numpy(std::vector<Tensor>&& tensors) {
    py::list result;
    for (Tensor& tensor : tensors) result.append(to_numpy(std::move(tensor)));
    return result;
}

py::array copy_to_numpy(const float* data, const Shape& shape) {
    py::array_t<float> result(shape);
    std::memcpy(result.mutable_data(), data, sizeof(float) * static_cast<size_t>(result.size()));
    return result;
}

}  // namespace striate::bindings
