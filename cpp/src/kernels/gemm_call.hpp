// What a tile of a matrix product is called with, and the tables of the microkernels for all sizes, which are compiled
// once an ISA, in gemm_forward.cpp and gemm_transposed.cpp. Included by kernel sources only.
#pragma once

#include "kernels/simd.hpp"

namespace striate::kernels::STRIATE_ISA {

constexpr int kMaxSegments = 4;

// One tile: c[r][j] (+)= sum over outer, inner, depth of a[r] * b[j]. All of the tile's columns are stored.
struct TileCall {
    const float* a[kMaxSegments];  // one base address a segment
    float* c[kMaxSegments];
    int64_t c_step;  // between rows of a segment
    int64_t a_step;  // of `a`: forward between rows (depth is contiguous); transposed between depths (rows are)
    int64_t outer, inner, depth;  // the reduction; a taps's place in `a` and `b` follows from its outer and inner index
    int64_t a_outer, a_inner;
    const float* b;
    int64_t b_outer, b_inner, b_step;
    const float* bias;  // added at the start, or null
    bool load;          // start from c
    bool ask;           // if not: ask for c's memory before the sum, lest the stores wait for it to be read
    bool clamps;        // what is stored is within floor and ceiling
    float floor, ceiling;
};

enum class Walk { forward, transposed };

// How many rows a tile of so many vectors may have before accumulators spill: a matter of registers.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kMaxVectors = 4, kMaxLength = 26;
#else
constexpr int kMaxVectors = 2, kMaxLength = 12;
#endif

using TileFunction = void (*)(const TileCall&);
struct TileTable {
    TileFunction of[kMaxVectors + 1][kMaxSegments + 1][kMaxLength + 1];  // vectors, segments, rows of a segment
};
extern const TileTable forward_tiles, transposed_tiles;

}  // namespace striate::kernels::STRIATE_ISA
