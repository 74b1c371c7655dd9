#pragma once

#include "kernels/view.hpp"

namespace striate::kernels {

// rectifier is Keras's general ReLU: `ceiling` from there on, x above `threshold`, alpha * (x - threshold) below it.
// gelu is x * Phi(x) by the error function, gelu_tanh its approximation (Hendrycks & Gimpel, 2016).
enum class ActivationKind : int32_t {
    linear,
    relu,
    relu6,
    leaky_relu,
    elu,
    sigmoid,
    tanh,
    softplus,
    silu,
    gelu,
    hard_sigmoid,
    hard_swish,
    gelu_tanh,
    rectifier,
    exponential,
    log,
    sqrt,
    abs,
    reciprocal,
    reciprocal_no_nan,  // 0 at 0
    erf,
};

// The function of its sums that a kernel writes.
struct Epilogue {
    ActivationKind kind = ActivationKind::linear;
    float alpha = 0;  // slope of leaky_relu
};
inline bool fits_epilogue(ActivationKind kind) {
    switch (kind) {
        case ActivationKind::relu:
        case ActivationKind::relu6:
        case ActivationKind::leaky_relu:
        case ActivationKind::sigmoid:
        case ActivationKind::tanh:
        case ActivationKind::silu:
        case ActivationKind::gelu:
        case ActivationKind::gelu_tanh:
        case ActivationKind::hard_sigmoid:
        case ActivationKind::hard_swish:
            return true;
        default:
            return false;
    }
}

// y = f(x), element by element. May work in place.
struct ActivationArgs {
    ActivationKind kind;
    float alpha;  // slope of leaky_relu and rectifier, scale of elu
    View view_x, view_y;
    const float* x;
    float* y;
    float threshold = 0, ceiling = 0;  // of rectifier
};

// dx = dy * f'(x). silu, gelu, gelu_tanh, hard_swish, rectifier, log, abs and erf read x, linear neither, all others y.
// dx may be dy.
struct ActivationGradArgs {
    ActivationKind kind;
    float alpha;
    View view_x, view_y, view_dy, view_dx;
    const float *x, *y, *dy;  // the one that the kind does not read may be null
    float* dx;
    float threshold = 0, ceiling = 0;
};

// y = max(0, x) + alpha * min(0, x) (He et al., 2015) with a slope for every place of a map, shared along the axes
// whose stride is 0.
struct PReluArgs {
    View view_x, view_y;
    const float *x, *alpha;
    int64_t alpha_row, alpha_pixel, alpha_channel;  // strides in floats
    float* y;
};
// dx, and the sums of dy * x over x < 0 for every slope. Unit = one of `pieces` groups of images, which writes its own
// `alpha_size` doubles of `partials`; merge_sums() adds them up.
struct PReluGradArgs {
    View view_x, view_dy, view_dx;
    const float *x, *alpha, *dy;
    int64_t alpha_row, alpha_pixel, alpha_channel, alpha_size;
    float* dx;         // may be null
    double* partials;  // [pieces][alpha_size]; may be null
    int64_t pieces;
};

// out[i] = scale * sum over pieces of partials[piece][i], in order.
struct MergeSumsArgs {
    int64_t pieces, size;
    const double* partials;
    float* out;
    double scale;
};

// maximum and minimum of a NaN and a number are NaN.
enum class BinaryKind : int32_t { add, subtract, multiply, add_relu, add_scaled, maximum, minimum };

// y = a (+, -, *) b, or max(0, a + b), or (a + b) * scale, or the larger or smaller of a and b. An axis of a or b that
// has size 1 where y's has more is broadcast. y may be a or b.
struct BinaryArgs {
    BinaryKind kind;
    View view_a, view_b, view_y;
    const float *a, *b;
    float* y;
    float scale = 1.0f;  // of add_scaled
};

// The gradient of y, the maximum or the minimum of several inputs, with respect to one of them, x: dx = dy where
// x == y, and 0 elsewhere. `rest` is dy without dx: for the inputs that follow. An axis of x that has size 1 where y's
// has more is broadcast; dx has the shape of y. dx or rest may be dy.
struct ExtremeGradArgs {
    View view_x, view_y, view_dy, view_dx, view_rest;
    const float *x, *y, *dy;
    float *dx, *rest;  // either may be null
};

// The gradient behind a broadcast: out = factor * sum of dy * other (or of dy, when `other` is null) over the axes
// along which `out` has size 1 and dy more; `other` may itself be broadcast.
struct ReduceBroadcastArgs {
    View view_dy, view_other, view_out;
    const float *dy, *other;
    float factor;
    float* out;
};

// y = x * scale + shift. May work in place.
struct ScaleShiftArgs {
    View view_x, view_y;
    const float* x;
    float* y;
    float scale, shift;
};

// y += scale * x
struct AccumulateArgs {
    View view_x, view_y;
    const float* x;
    float* y;
    float scale;
};

// y = x between views of one shape: padding, cropping, concatenation, flattening of a haloed map.
struct CopyArgs {
    View view_x, view_y;
    const float* x;
    float* y;
};

struct FillArgs {
    View view;
    float* y;
    float value;
};

// Zeros in the ring of `top`, `bottom` rows and `left`, `right` pixels around every image. Unit = image.
struct ZeroHaloArgs {
    View view;
    float* y;
    int64_t top, bottom, left, right;
};

// The activations that normalisations apply themselves, f below: linear, relu, relu6, silu and hard_swish.
inline bool fits_normalization(ActivationKind kind) {
    return kind == ActivationKind::linear || kind == ActivationKind::relu || kind == ActivationKind::relu6 ||
           kind == ActivationKind::silu || kind == ActivationKind::hard_swish;
}

// Channel by channel, y = f((x - mean) * scale + shift). A null mean or shift means 0 if f is linear or relu.
// `image_stride` is 0, or c when mean and scale differ from image to image; shift never does. May work in place.
struct ChannelAffineArgs {
    View view_x, view_y;
    const float* x;
    float* y;
    const float *mean, *scale, *shift;
    int64_t image_stride;
    ActivationKind activation;
};
// dx = g * scale + (x - mean) * slope + offset, where g = dy * f'((x - mean) * scale + shift). When slope is null, dx =
// g * scale, and offset is not read, nor are x and mean when f is linear. dx may be dy.
struct ChannelAffineGradArgs {
    View view_x, view_dy, view_dx;
    const float *x, *dy;
    float* dx;
    const float *mean, *scale, *shift;  // shift is for f; null means 0
    const float *slope, *offset;        // like mean and scale with image_stride
    int64_t image_stride;
    ActivationKind activation;
};

// Rows of a whole array, chosen by `indices`, as a batch: y[i] = source[indices[i]] * scale + shift.
enum class SourceKind : int32_t { float32, uint8, float32_channels_first, uint8_channels_first };
struct GatherArgs {
    SourceKind kind;
    const void* source;      // contiguous, (N, h, w, c) or (N, c, h, w)
    const int64_t* indices;  // view.n of them, each in [0, N); null: 0, 1, 2, ...
    View view;
    float* y;
    float scale, shift;
};
// Rows of `row_bytes` bytes, as they are. Unit = kBytesRows rows.
struct GatherBytesArgs {
    const void* source;
    const int64_t* indices;  // null: 0, 1, 2, ...
    void* out;
    int64_t rows, row_bytes;
};

}  // namespace striate::kernels
