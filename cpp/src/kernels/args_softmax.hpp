#pragma once

#include "kernels/view.hpp"

namespace striate::kernels {

// y = softmax(x) over the channels. May work in place.
struct SoftmaxArgs {
    View view_x, view_y;
    const float* x;
    float* y;
};
// dx = y * (dy - sum over channels of y * dy). dx may be dy.
struct SoftmaxGradArgs {
    View view_y, view_dy, view_dx;
    const float *y, *dy;
    float* dx;
};

}  // namespace striate::kernels
