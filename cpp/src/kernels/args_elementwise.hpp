#pragma once

#include "kernels/view.hpp"

namespace striate::kernels {

enum class ActivationKind : int32_t {
    linear, relu, relu6, leaky_relu, elu, sigmoid, tanh, softplus, silu, gelu, hard_sigmoid, hard_swish,
};

// y = f(x), element by element. Units of work: image rows of the view (n * h).
struct ActivationArgs {
    ActivationKind kind;
    float alpha;  // slope of leaky_relu, scale of elu
    View view_x, view_y;
    const float* x;
    float* y;
};

// dx = dy * f'(x).
struct ActivationGradArgs {
    ActivationKind kind;
    float alpha;
    View view_x, view_y, view_dy, view_dx;
    const float *x, *y, *dy;  // a kind reads x or y, whichever it needs; the other may be null
    float* dx;
};

}  // namespace striate::kernels
