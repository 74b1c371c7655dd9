#pragma once

#include <stdint.h>

#include "kernels/args_conv.hpp"
#include "kernels/view.hpp"

namespace striate::kernels {

// 3x3 convolutions of stride 1 by Winograd's minimal filtering F(4x4, 3x3) (Lavin & Gray, "Fast Algorithms for
// Convolutional Neural Networks", 2016), with the points 0, 1, -1, 2, -2 and infinity: 36 multiplications for 16
// outputs where the definition has 144. The output is cut into tiles of 4x4; the last of a row or column may stick out.
// All channels are multiples of 16. What is transformed is 36 matrices, `point` floats apart.

static constexpr int64_t kWinogradPoints = 36;
// Tiles that one unit of a transform does, and rows of weights.
static constexpr int64_t kWinogradTiles = 8;
static constexpr int64_t kWinogradRows = 8;

// The tiles [first, first + count) of a batch of images of down * across tiles each.
struct WinogradTiles {
    int64_t down, across;
    int64_t first, count;
};

// out[p * point + t * t_step + (c / panel) * panel_step + c % panel] = point p of tile t's window of `x`, transformed.
// The window of tile (i, j) begins at row top + 4 i, column left + 4 j; what is outside [row_begin, row_end) x
// [col_begin, col_end) is taken as zero, and nothing there is read.
//   winograd_input: 6x6 windows, B^T x B.   winograd_gradient: 4x4 windows, A x A^T.
struct WinogradMapArgs {
    View view;
    const float* x;
    int64_t top, left;
    int64_t row_begin, row_end, col_begin, col_end;
    WinogradTiles tiles;
    float* out;
    int64_t point, t_step, panel, panel_step;
};

// winograd_input of one map and winograd_gradient of another, which do not wait for each other. Units: those of the
// first, then those of the second.
struct WinogradTransformsArgs {
    WinogradMapArgs input, gradient;
};

// dst[p * point + (o / panel * depth + d) * panel + o % panel] = G g G^T of the 3x3 kernel g at src + d * s_depth + o /
// panel * s_panel + o % panel, whose rows and columns are s_row and s_col apart. Unit = kWinogradRows of a panel's
// depths.
struct WinogradWeightsArgs {
    const float* src;
    float* dst;
    int64_t s_row, s_col, s_depth, s_panel;
    int64_t depth, channels, panel, point;
};

// c[p][t][o] = sum over d of a[p][t][d] * b[p][d][o] for all points; b in panels. A unit is `unit_panels` panels of one
// point.
struct WinogradProductArgs {
    const float *a, *b;
    float* c;
    int64_t a_point, b_point, c_point;
    int64_t rows, depth, channels;
    int64_t panel, unit_panels;
    int64_t strip, block_depth;  // rows of a tile at most; depth that is summed at a time
};

// y (+)= A^T m A + bias, rectified if `relu`, of m[p * point + t * channels + c]. With `pool`, y is the maxima of 2 x 2
// windows side by side, of which `places` tells as PoolWinners does; they are never added to what is in y.
struct WinogradOutputArgs {
    View view;
    float* y;
    const float* bias;  // null: none
    const float* m;
    int64_t point;
    WinogradTiles tiles;
    bool accumulate;  // add to what is in y
    bool relu;
    bool pool;
    uint8_t* places;     // null: not kept
    int64_t place_step;  // between the places of neighbouring pixels
};

// The three together, a block of tiles at a time, with what is transformed in `scratch`. Its parts' pointers and blocks
// of tiles are set by the kernel. Unit = `block` tiles.
struct WinogradArgs {
    WinogradMapArgs input;
    WinogradProductArgs product;
    WinogradOutputArgs output;
    int64_t block, tiles;
    float* scratch;  // kWinogradPoints * (input.point + output.point) floats for each thread
};

// Weights that change from call to call and are large beside their maps: a panel of them at a time is transformed, a
// few depths after the other, multiplied and forgotten, and so never leaves the cache; then the panel's outputs are
// transformed back. product.a is the whole of the transformed maps. `weights` lead to the layer's kernel, or to
// `pack.dst`, where a panel's depths are packed first if `packs`. Other pointers and blocks are set by the kernel.
// Unit = a panel of the outputs of `block` tiles.
struct WinogradStreamedArgs {
    WinogradProductArgs product;
    WinogradWeightsArgs weights;
    PackArgs pack;
    bool packs;
    WinogradOutputArgs output;
    int64_t block, tiles;
    float* scratch;  // of each thread: kWinogradPoints * (weights.point + output.point) floats, behind which a
                     // panel's block_depth depths are packed
};

// du[p][d][o] (+)= sum over t of v[p][t][d] * z[p][t][o], z in panels: the transformed gradient with respect to
// weights. A unit is one point's `unit_panels` panels.
struct WinogradWeightProductArgs {
    const float *v, *z;
    float* du;
    int64_t v_point, z_point, du_point;
    int64_t tiles, z_tiles;  // that there are, and that a panel of z has room for
    int64_t depth, channels;
    int64_t panel, unit_panels;
    int64_t strip;
    bool accumulate;
};

// The same, transforms included: du[piece] = the sum over the piece's tiles, `block` of them at a time, transformed in
// `scratch`. The parts' pointers and tiles are set by the kernel. Unit = piece.
struct WinogradToWeightsArgs {
    WinogradMapArgs input, gradient;
    WinogradWeightProductArgs product;
    int64_t tiles, block, pieces;
    float* du;
    float* scratch;  // kWinogradPoints * (input.point + gradient.point) floats for each thread
};

// The gradient to weights that are large beside their maps: `block_depth` depths of a panel at a time are multiplied
// and transformed back, and so never leave the cache. Unit = such a block of a panel; blocks change faster.
struct WinogradWeightsStreamedArgs {
    WinogradWeightProductArgs product;  // `du` and `accumulate` are set by the kernel
    int64_t block_depth, block_tiles;   // tiles that are summed at a time
    float* dw;                          // as below
    float* scratch;                     // kWinogradPoints * product.du_point floats for each thread
};

// dw[(r * 3 + s) * depth * channels + d * channels + o] = G^T du G of the sum over pieces, in order, of du[piece].
// Unit = kWinogradRows depths.
struct WinogradWeightGradArgs {
    const float* du;
    float* dw;
    int64_t depth, channels, point;
    int64_t pieces;  // kWinogradPoints * point floats each
};

}  // namespace striate::kernels
