// IDX files, as MNIST and its kin come in (LeCun, Cortes and Burges, "The MNIST database of handwritten digits").
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "striate/tensor.hpp"

namespace striate STRIATE_API {

struct IdxArray {
    std::vector<uint8_t> values;
    Shape shape;

    // Borrowed from this object.
    Array array() const { return {values.data(), DType::uint8, shape}; }
    // Images (N, rows, columns) as networks take them: (N, rows, columns, 1).
    Array images() const {
        Array array = this->array();
        array.shape.push_back(1);
        return array;
    }
};

// Unsigned bytes of one to four axes, not compressed: images (N, rows, columns), labels (N). Throws FileError when the
// file cannot be read, ValueError when it is no such file; before that, nothing is allocated for sizes that it claims.
IdxArray read_idx(const std::string& path);

}  // namespace striate STRIATE_API
