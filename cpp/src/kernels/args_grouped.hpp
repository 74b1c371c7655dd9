#pragma once

#include <stdint.h>

#include "kernels/args_elementwise.hpp"

namespace striate::kernels {

// A convolution in groups of `group` input and as many output channels, a power of two that is at most the vector's
// width, so that a vector of neighbouring channels covers whole groups. Output channel o of a pixel is bias[o] + sum
// over taps (r, c) and j < group of
//     x[x_offset + image * x_image + row * x_row + col * x_col + r * tap_row + c * tap_col + o / group * group + j]
//     * weights[((o / panel * tap_rows + r) * tap_cols + c) * group * panel + j * panel + o % panel]
// written at y + y_offset + image * y_image + row * y_row + col * y_col + o. `panel` is the vector's width; weights
// behind the last channel are finite. Units: output lines.
struct GroupedConvArgs {
    const float* x;
    const float* weights;
    const float* bias;  // null: none
    float* y;
    int64_t x_offset, y_offset;

    int64_t images, rows, cols;
    int64_t x_image, x_row, x_col;
    int64_t y_image, y_row, y_col;
    int64_t tap_rows, tap_cols, tap_row, tap_col;
    int64_t channels, group, panel;
    bool accumulate;  // add to what is in y
    Epilogue epilogue;
};

// dst[((p * rows + r) * cols + c) * group * panel + j * panel + i] = src[src_offset + r * s_row + c * s_col + o % group
// * s_depth + o / group * group + j], o = p * panel + i, zero behind the last channel: weights as GroupedConvArgs wants
// them for the gradient to input, each group's matrix transposed. Units: panels * rows * cols.
struct GroupedPackArgs {
    const float* src;
    float* dst;
    int64_t src_offset;
    int64_t rows, cols;
    int64_t channels, group, panel;
    int64_t s_row, s_col, s_depth;
};

// slots[piece][(r * tap_cols + c) * group + j][o] = the piece's part of sum over output pixels of x, as GroupedConvArgs
// reads it for that weight, times dy: the gradient with respect to weights. sum_slots() adds the pieces. A piece is a
// share of the output lines, whose products are summed `lines` lines at a time before they are added to its slot; a
// unit does one piece of `unit_vectors` vectors of channels.
struct GroupedWeightArgs {
    const float* x;
    const float* dy;
    float* slots;
    int64_t x_offset;

    int64_t images, rows, cols;
    int64_t x_image, x_row, x_col;
    int64_t y_image, y_row, y_col;
    int64_t tap_rows, tap_cols, tap_row, tap_col;
    int64_t channels, group, panel;
    int64_t pieces, lines, unit_vectors;
};

}  // namespace striate::kernels
