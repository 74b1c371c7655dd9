// Rows too short to fill vectors, turned so that each lane holds a row of its own: element j of kWidth rows is one
// vector. A row's result does not depend on the lane it is in.
#pragma once

#include "kernels/simd_math.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

constexpr int64_t kNarrow = 32;  // the longest row that is turned

struct Tile {
    float room[kNarrow][kWidth];

    STRIATE_INLINE void read(const float* from, int64_t stride, int64_t rows, int64_t c) {
        for (int64_t r = 0; r < rows; ++r)
            for (int64_t j = 0; j < c; ++j) room[j][r] = from[r * stride + j];
        for (int64_t r = rows; r < kWidth; ++r)
            for (int64_t j = 0; j < c; ++j) room[j][r] = 0;
    }
    STRIATE_INLINE void write(float* to, int64_t stride, int64_t rows, int64_t c) const {
        for (int64_t r = 0; r < rows; ++r)
            for (int64_t j = 0; j < c; ++j) to[r * stride + j] = room[j][r];
    }
    STRIATE_INLINE Vec get(int64_t j) const { return load(room[j]); }
    STRIATE_INLINE void set(int64_t j, Vec v) { store(room[j], v); }
};

// A row's value in sums and maxima, whether the row is along a vector or in one lane.

// max over c elements of `tile`
STRIATE_INLINE Vec row_max(const Tile& tile, int64_t c) {
    Vec best = tile.get(0);
    for (int64_t j = 1; j < c; ++j) best = max(best, tile.get(j));
    return best;
}
STRIATE_INLINE float row_max(const float* x, int64_t c) {
    Vec best = broadcast(-kInfinity);
    each_vector(c, [&](int64_t i, auto lanes) { best = max(best, lanes.keep(lanes.load(x + i), best)); });
    return largest(best);
}

// sum of f(j) over the row's elements
template <class F>
STRIATE_INLINE Vec column_sum(int64_t c, F f) {
    Vec total = {};
    for (int64_t j = 0; j < c; ++j) total += f(j);
    return total;
}
template <class F>
STRIATE_INLINE float row_sum(int64_t c, F f) {
    Vec total = {};
    each_vector(c, [&](int64_t i, auto lanes) { total += lanes.keep(f(i, lanes), Vec{}); });
    return sum(total);
}

}  // namespace
}  // namespace striate::kernels::STRIATE_ISA
