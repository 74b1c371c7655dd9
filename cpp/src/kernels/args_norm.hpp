#pragma once

#include "kernels/args_elementwise.hpp"

namespace striate::kernels {

// Statistics of every channel, in two levels: the rows of a batch (`groups` = 1) or of each image (`groups` = n) are
// split evenly into `pieces`; a piece writes its results, and a merge adds the pieces in order. A convolution that
// gathers its output's statistics by itself writes the same partials.

// partials[group][piece][0][c]: mean, [1][c]: sum of squared deviations from it. Two passes over a block in cache,
// blocks merged in double precision (Chan, Golub, LeVeque, 1979). Unit = piece of a group.
struct MomentsArgs {
    View view_x;
    const float* x;
    double* partials;
    int64_t groups, pieces;
};

// partials[group][piece][0][c]: sum of g, [1][c]: sum of g * (x - mean), where g = dy * f'((x - mean) * scale + shift)
// with the activation f, as in ChannelAffineGradArgs. Unit = piece of a group.
struct MomentsGradArgs {
    View view_x, view_dy;
    const float *x, *dy;
    const float *mean, *scale, *shift;  // scale and shift are for f; a null shift means 0
    int64_t mean_stride;                // of mean and scale: 0, or c when groups differ
    double* partials;
    int64_t groups, pieces;
    ActivationKind activation;
};

// Batch statistics (Ioffe & Szegedy, 2015) from partials of one group. Also moves the moving averages:
// moving = moving * momentum + batch * (1 - momentum), with the biased variance, or with the one that divides by the
// number of pixels less 1. Unit = kMergeChunk channels.
struct BatchNormMergeArgs {
    int64_t c, rows, row_pixels;  // of the batch: n * h rows of w pixels
    int64_t pieces;
    const double* partials;
    const int64_t* counts;  // pixels of every piece; null: the rows are split evenly
    float epsilon, momentum;
    const float* gamma;                    // null: 1
    float *mean, *inverse_std, *scale;     // of the batch; scale = gamma * inverse_std
    float *moving_mean, *moving_variance;  // null: left alone
    bool unbiased;                         // of the moving variance
};

// The same scale from moving averages, for inference and frozen layers. Unit = kMergeChunk channels.
struct BatchNormFixedArgs {
    int64_t c;
    float epsilon;
    const float *gamma, *moving_variance;
    float *inverse_std, *scale;
};

// From MomentsGradArgs' partials: the parameters' gradients, and slope and offset for channel_affine_backward(), which
// stay unwritten when null (statistics are constants then). Unit = kMergeChunk channels.
struct BatchNormGradMergeArgs {
    int64_t c, pieces;
    double pixels;  // n * h * w
    const double* partials;
    const float *inverse_std, *scale;
    float *d_gamma, *d_beta;  // may be null
    float *slope, *offset;
};

// channel_affine() and the maximum of 2 x 2 windows side by side, in one pass: y = max((x - mean) * scale + shift),
// then max(0, y) if `relu`. Rows and columns that fill no window are left out. For the backward pass, in the order n,
// y, x, c of y without gaps, `places` says which of its window won, row by row (the first of equals; a NaN wins over
// all), or kNoPlace where ReLU made it 0, and `chosen` is the x that won; either may be null. Unit = row of y.
struct AffinePoolArgs {
    View view_x, view_y;
    const float* x;
    float* y;
    const float *mean, *scale, *shift;  // shift may be null: 0
    uint8_t* places;
    float* chosen;
    bool relu;
};
// dx = g * scale + (x - mean) * slope + offset for every x, where g is its window's dy if it won, else 0. When slope is
// null, dx = g * scale, and x, mean and offset are not read. Unit = the two rows of dx under a row of windows, or the
// one that is left over.
struct AffinePoolGradArgs {
    View view_x, view_dy, view_dx;
    const float *x, *dy;
    float* dx;
    const uint8_t* places;
    const float *mean, *scale, *slope, *offset;
};

// Group normalisation (Wu & He, 2018): one mean and variance for the c / groups channels of a group in an image,
// written for every channel. From partials of n groups. Unit = image.
struct GroupNormMergeArgs {
    int64_t n, c, groups, rows, row_pixels;  // of one image: h rows of w pixels
    int64_t pieces;
    const double* partials;
    float epsilon;
    const float* gamma;                 // null: 1
    float *mean, *inverse_std, *scale;  // [n][c]
};
// Unit = image.
struct GroupNormGradMergeArgs {
    int64_t n, c, groups, pieces;
    double pixels;  // h * w
    const double* partials;
    const float *gamma, *inverse_std;
    float *slope, *offset;  // [n][c]
};
// Unit = kMergeChunk channels.
struct GroupNormParameterGradArgs {
    int64_t n, c, pieces;
    const double* partials;
    const float* inverse_std;  // [n][c]
    float *d_gamma, *d_beta;   // may be null
};

// Layer normalisation (Ba, Kiros, Hinton, 2016) over the last 1 (c), 2 (w, c) or 3 (h, w, c) axes; gamma and beta have
// the shape of what is normalised. Unit = as many normalised rows as fill kChunk floats.
struct LayerNormArgs {
    int axes;
    View view_x, view_y;
    const float *x, *gamma, *beta;  // gamma, beta may be null
    float* y;
    float *mean, *inverse_std;  // one for every row; null: not kept
    float epsilon;
};
// Unit = one of `pieces` even splits of the rows, which writes partials[piece][0]: sums for gamma, [1]: for beta,
// `size` doubles each. merge_sums() adds them up.
struct LayerNormGradArgs {
    int axes;
    View view_x, view_dy, view_dx;
    const float *x, *gamma, *dy, *mean, *inverse_std;
    float* dx;         // may be null
    double* partials;  // may be null
    int64_t pieces;
};

}  // namespace striate::kernels
