#pragma once

#include "kernels/args_conv.hpp"
#include "kernels/args_pool.hpp"

namespace striate::kernels {

// conv() and then max_pool() of 2 x 2 windows side by side, a part of y after the other: the outputs of a part wait in
// `scratch` for their maxima and are never stored as a whole. The images of y are cut into `groups`, the rows of an
// image into `down`, one of which is 1 or all; parts whose share is one image or one row longer take the arguments [0],
// the others [1]. Their pointers are set by the kernel. Unit = part; parts of an image change faster.
struct PooledConvArgs {
    const float* x;
    const float* weights;
    const float* bias;  // may be null
    float* y;
    uint8_t* places;  // as PoolWinners has them; null: not kept
    float* scratch;   // for each thread, the outputs of the longer part
    View view_y;
    int64_t groups, down;
    int64_t x_image, x_row;  // of x, between the parts of neighbouring images and rows of y
    ConvArgs sums[2];
    MaxPoolArgs maxima[2];
    int64_t images[2], rows[2];  // of y, in a part
    int64_t sum_units[2], maxima_units[2];
};

}  // namespace striate::kernels
