#pragma once

#include "kernels/view.hpp"

namespace striate::kernels {

// Rows of a product that one unit does.
static constexpr int64_t kMatMulRows = 32;

// Each image row of a view is a matrix: w rows of c numbers. y = a b, with a or b transposed as the kind says. Unit =
// up to kMatMulRows rows of one matrix of y.
enum class MatMulKind : int32_t { plain, first_transposed, second_transposed };
struct MatMulArgs {
    MatMulKind kind;
    View view_a, view_b, view_y;
    const float *a, *b;
    float* y;
};

}  // namespace striate::kernels
