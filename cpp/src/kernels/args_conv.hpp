#pragma once

#include <stdint.h>

#include "kernels/args_elementwise.hpp"

namespace striate::kernels {

// y = f(bias + sum over taps of A * W): convolution in all its forms (forward, gradient to input, transposed) and dense
// layers. Output pixel (image, row, col) of group g reads, for tap (r, c), `depth` contiguous floats at
//     x + x_offset + g * x_group + image * x_image + row * x_row + col * x_col + r * tap_row + c * tap_col
// which are inside the map or its halo, and multiplies them with the rows (r * tap_cols + c) * depth .. + depth of W.
// Channel o of W's row k is at weights + g * w_group + (o / panel) * w_panel + k * w_step + o % panel; every row can be
// read up to the next multiple of the vector width. The pixel's channel o is written at y + y_offset + g * y_group +
// image * y_image + row * y_row + col * y_col + o * y_channel.
struct ConvArgs {
    const float* x;
    const float* weights;
    const float* bias;  // one float for each output channel of all groups, or null
    float* y;
    int64_t x_offset, y_offset;

    int64_t images, rows, cols;
    int64_t x_image, x_row, x_col;
    int64_t y_image, y_row, y_col, y_channel;
    int64_t tap_rows, tap_cols, depth;
    int64_t tap_row, tap_col;
    int64_t channels;  // of the output, in a group
    int64_t groups, x_group, y_group, w_group;
    int64_t panel, w_panel, w_step;
    bool accumulate;  // add to what is in y
    Epilogue epilogue;

    // How the work is cut: `cols` into strips of nearly equal length, at most `strip`; when that is one strip, the
    // strips of `segments` neighbouring lines make a tile together. A unit is `unit_tiles` tiles times `unit_panels`
    // panels of channels, and the reduction is done `block_rows` tap rows and `block_depth` of the depth at a time.
    int64_t strip, segments, unit_tiles, unit_panels;
    int64_t block_rows, block_depth;
    bool panels_outer;  // order of the units: whether adjacent units share weights or pixels
};

// dst[p][k][j] = src[g * s_group + r * s_row + c * s_col + d * s_depth + (p * panel + j) * s_channel], zero behind the
// last channel, with k = (r * cols + c) * depth + d: weights as ConvArgs wants them. Units: groups * panels * rows *
// cols.
struct PackArgs {
    const float* src;
    float* dst;
    int64_t src_offset;
    int64_t groups, rows, cols, depth, channels, panel;
    int64_t s_group, s_row, s_col, s_depth, s_channel;
};

// slots[piece][g][k][o] = the piece's part of sum over output pixels of A(pixel)[k] * dy(pixel)[o]: the gradient with
// respect to weights. Row k = (r * tap_cols + c) * depth + d of A is where ConvArgs reads it. Rows of a slot are w_step
// floats apart, a whole number of vectors, so that the padding after the last channel is undefined. The output pixels
// are cut into chunks of chunk_images x chunk_rows x chunk_cols and the chunks dealt out to `pieces` pieces; a unit
// does one piece of one group for `unit_panels` panels of channels and `unit_taps` taps.
struct ConvWeightArgs {
    const float* x;
    const float* dy;
    float* slots;
    float* scratch;  // chunk pixels * panel floats for each thread when `pack`
    int64_t x_offset;

    int64_t images, rows, cols;
    int64_t x_image, x_row, x_col;
    int64_t y_image, y_row, y_col;
    int64_t tap_rows, tap_cols, depth;
    int64_t tap_row, tap_col;
    int64_t channels;
    int64_t groups, x_group, y_group;
    int64_t panel, w_step;
    bool pack;  // copy each panel of dy's chunk together before it is used again and again

    int64_t strip, segments, pieces, unit_panels, unit_taps;
    int64_t chunk_images, chunk_rows, chunk_cols;
};

static constexpr int64_t kMaximaTaps = 32;

// The same where dy is known to be zero but for one pixel of each 2 x 2 window: slots[piece][k][o] is the piece's part
// of the sum over windows of dy, the gradient of the window's maximum, times what A has for the pixel that `places`
// names (see PoolWinners, here in the order n, y, x, c of the windows without gaps). bias[piece][o] is that of dy
// alone. Of maxima that ReLU made 0 there is no gradient. At most kMaximaTaps rows k. Unit = piece, a share of the rows
// of windows.
struct MaximaWeightArgs {
    const float* x;
    const float* dy;
    const uint8_t* places;
    float* slots;
    float* bias;     // may be null
    float* scratch;  // for each thread, floats: four for every input that a row of windows meets, block_rows times
    int64_t x_offset;

    int64_t images, rows, cols;       // of windows
    int64_t x_image, x_row, x_pixel;  // x_row: between the rows that neighbouring output rows begin at
    int64_t dy_image, dy_row, dy_pixel;
    int64_t col_stride, col_dilation;  // in pixels
    int64_t tap_rows, tap_cols, depth;
    int64_t tap_row;
    int64_t channels;
    int64_t pieces, block_rows;
};

// Rows that a unit of sum_slots adds up.
static constexpr int64_t kSlotRows = 16;

// out[k * out_step + g * channels + j] = sum over pieces, in order, of slots[piece][g][k][j]: what conv_weights left,
// put together. Unit: kSlotRows rows of a group.
struct SlotSumArgs {
    const float* slots;
    float* out;
    int64_t pieces, groups, rows, channels, step, out_step;
};

// A convolution in which every input channel has `multiplier` output channels of its own: output channel c * multiplier
// + j reads input channel c. Places of pixels and taps are as in ConvArgs; the weight of output channel o for tap (r,
// c) is at weights + w_offset + r * w_row + c * w_col + o. With `gather` it is the other direction: the x that is read
// has channels * multiplier channels, and y's channel c is the sum over its `multiplier` channels. Units: output lines.
struct DepthwiseArgs {
    const float* x;
    const float* weights;
    const float* bias;  // null: none
    float* y;
    int64_t x_offset, y_offset, w_offset;

    int64_t images, rows, cols;
    int64_t x_image, x_row, x_col;
    int64_t y_image, y_row, y_col;
    int64_t tap_rows, tap_cols, tap_row, tap_col;
    int64_t w_row, w_col;
    int64_t channels, multiplier;  // `channels` of the narrow side
    bool gather;
    Epilogue epilogue;  // linear with `gather`
};

// slots[piece][tap][o] = the piece's part of sum over pixels of x * dy; sum_slots() adds the pieces. Unit = piece, a
// share of the output lines.
struct DepthwiseWeightArgs {
    const float* x;
    const float* dy;
    float* slots;
    int64_t x_offset;

    int64_t images, rows, cols;
    int64_t x_image, x_row, x_col;
    int64_t y_image, y_row, y_col;
    int64_t tap_rows, tap_cols, tap_row, tap_col;
    int64_t channels, multiplier;
    int64_t pieces;
};

// Multiply-adds in registers and nothing else: what the machine can do at best. A unit is 2^20 of them, in vectors.
struct FmaPeakArgs {
    float* sink;  // one float for each unit
    int64_t count;
};

// partials[piece][c] = the piece's part of the sum of every channel: the gradient with respect to a bias. merge_sums()
// adds the pieces. With `places`, of the same elements in the order n, y, x, c without gaps, those at `left_out` do not
// count. Unit = piece, a share of the image rows.
struct ChannelSumArgs {
    View view_x;
    const float* x;
    double* partials;
    int64_t pieces;
    const uint8_t* places;  // null: none
    int32_t left_out;
};

}  // namespace striate::kernels
