// The positions of windows: shared by the pooling kernels.
#pragma once

#include "kernels/args_pool.hpp"
#include "kernels/lanes.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

// The part of a range [0, size) that window number `index` covers, and its first place in the window.
struct Span {
    int64_t begin, end, first;
};
STRIATE_INLINE Span span(int64_t index, int64_t step, int64_t before, int64_t length, int64_t size) {
    const int64_t start = index * step - before;
    return {greater(start, 0), lesser(start + length, size), start < 0 ? -start : 0};
}

// The windows [begin, end) that cover position `place`.
struct Windows {
    int64_t begin, end;
};
STRIATE_INLINE Windows windows_over(int64_t place, int64_t step, int64_t before, int64_t length, int64_t count) {
    const int64_t padded = place + before;
    const int64_t first = padded < length ? 0 : (padded - length) / step + 1;
    return {first, lesser(count, padded / step + 1)};
}

// Windows side by side without gap or overlap that reach the end of the row: every pixel of it is written by one of
// them.
STRIATE_INLINE bool tiles_row(const PoolWindow& w, const View& dx, int64_t out_w) {
    return w.columns == w.column_step && w.left == 0 && out_w * w.column_step >= dx.w;
}

// Whether `v`, from a later place, takes the maximum from `best`: a NaN does, an equal does not, and nothing beats a
// NaN.
STRIATE_INLINE VecI challenge(Vec& best, VecI& winner, Vec v, int32_t place) {
    const VecI wins = ~(v <= best) & (best == best);
    best = select(wins, v, best);
    winner = wins ? broadcast_int(place) : winner;
    return wins;
}

}  // namespace
}  // namespace striate::kernels::STRIATE_ISA
