// Shapes, element types, and borrowed or owned arrays.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "striate/export.hpp"

namespace striate STRIATE_API {

// bfloat16: the upper half of a float32. Values are stored and converted; the kernels compute in float32.
enum class DType { float32, uint8, int32, int64, float64, bfloat16 };

size_t byte_size(DType type);
const char* name_of(DType type);

// Rounds to the nearest bfloat16, of two equally near ones to the one whose last bit is 0; NaN stays NaN.
uint16_t bfloat16_of(float value);
float bfloat16_to_float(uint16_t bits);

using Shape = std::vector<int64_t>;

// "(28, 28, 1)"; with a batch dimension in front, "(N, 28, 28, 1)".
std::string to_string(const Shape& shape);
std::string with_batch(const Shape& shape);

// The product of the sizes. Throws ValueError for a negative size and when the product overflows 2^63 - 1 elements.
int64_t element_count(const Shape& shape);

// A contiguous (C order) array that somebody else owns; the first dimension is the batch.
struct Array {
    const void* data = nullptr;
    DType type = DType::float32;
    Shape shape;
};

// 64-byte aligned, zero-filled memory that never moves.
class AlignedBuffer {
  public:
    AlignedBuffer() = default;
    // Throws std::bad_alloc when there is no memory.
    explicit AlignedBuffer(size_t bytes);

    std::byte* data() { return data_.get(); }
    const std::byte* data() const { return data_.get(); }
    float* floats() { return reinterpret_cast<float*>(data_.get()); }
    const float* floats() const { return reinterpret_cast<const float*>(data_.get()); }
    size_t size() const { return size_; }

  private:
    struct Free {
        void operator()(std::byte* p) const;
    };
    std::unique_ptr<std::byte, Free> data_;
    size_t size_ = 0;
};

// A float32 array with its own memory: what the C++ API returns.
class Tensor {
  public:
    Tensor() = default;
    explicit Tensor(Shape shape);

    const Shape& shape() const { return shape_; }
    int64_t size() const { return size_; }
    float* data() { return buffer_.floats(); }
    const float* data() const { return buffer_.floats(); }
    operator Array() const { return {data(), DType::float32, shape_}; }

  private:
    Shape shape_;
    int64_t size_ = 0;
    AlignedBuffer buffer_;
};

}  // namespace striate STRIATE_API
