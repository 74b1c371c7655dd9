#pragma once

#include "kernels/view.hpp"

namespace striate::kernels {

// Output position o of `out` is at (o + 1/2) * in / out - 1/2 of the input (half-pixel centres, as in TensorFlow 2
// and Keras). Nearest takes the pixel whose square it falls into; bilinear mixes the two nearest pixels of each axis,
// clamped at edges. Unit = output row.
struct ResizeArgs {
    bool bilinear;
    View view_x, view_y;
    const float* x;
    float* y;
};
// Unit = row of dx.
struct ResizeGradArgs {
    bool bilinear;
    View view_dy, view_dx;
    const float* dy;
    float* dx;
};

}  // namespace striate::kernels
