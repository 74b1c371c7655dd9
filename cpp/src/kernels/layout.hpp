// Rules on shapes that both sides of the seam must agree on: kernel sources, to find their units of work in memory, and
// units.hpp, to count them. Every function is static and always inlined, so no symbol can be shared between ISAs.
#pragma once

#include <stdint.h>

#include "kernels/view.hpp"

#ifdef __CUDACC__
#define STRIATE_LAYOUT static __host__ __device__ __forceinline__
#else
#define STRIATE_LAYOUT static inline __attribute__((always_inline))
#endif

namespace striate::kernels {

// Floats in one unit of work where memory is one run: 64 KB, small enough for an even split, large enough to hide the
// call.
static constexpr int64_t kChunk = 16384;
// Elements that one unit of a merge does.
static constexpr int64_t kMergeChunk = 256;
// Rows that one unit of gather_bytes() copies.
static constexpr int64_t kBytesRows = 64;
// Channels of an image that one unit of a global pool does.
static constexpr int64_t kPoolChannels = 64;

STRIATE_LAYOUT int64_t divide_up(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}
STRIATE_LAYOUT int64_t at_least_one(int64_t a) {
    return a > 1 ? a : 1;
}

STRIATE_LAYOUT int64_t rows(const View& v) {
    return v.n * v.h;
}
STRIATE_LAYOUT int64_t pixels(const View& v) {
    return v.n * v.h * v.w;
}
STRIATE_LAYOUT int64_t elements(const View& v) {
    return v.n * v.h * v.w * v.c;
}

// The pixels of a row follow each other without a gap.
STRIATE_LAYOUT bool packed(const View& v) {
    return v.pixel == v.c || v.w == 1;
}
// The whole tensor is one run.
STRIATE_LAYOUT bool flat(const View& v) {
    return packed(v) && (v.row == v.w * v.c || v.h == 1) && (v.image == v.h * v.w * v.c || v.n == 1);
}

// Element-wise kernels: chunks of one run, or image rows.
STRIATE_LAYOUT int64_t run_units(const View& v, bool all_flat) {
    return all_flat ? divide_up(elements(v), kChunk) : rows(v);
}

// Kernels that look at whole pixels: strips of pixels of one run, or image rows.
STRIATE_LAYOUT int64_t strip_pixels(const View& v) {
    return at_least_one(kChunk / v.c);
}
STRIATE_LAYOUT int64_t strip_units(const View& v, bool all_flat) {
    return all_flat ? divide_up(pixels(v), strip_pixels(v)) : rows(v);
}

// Losses by rows of c numbers: how many rows one unit does.
STRIATE_LAYOUT int64_t loss_rows(int64_t c) {
    return at_least_one(kChunk / c);
}

// `v` as seen from the shape of `like`: an axis of size 1 where `like` has more gets stride 0. Channels stay as they
// are.
STRIATE_LAYOUT View broadcast_to(const View& v, const View& like) {
    View seen = v;
    if (v.n == 1 && like.n > 1) seen.n = like.n, seen.image = 0;
    if (v.h == 1 && like.h > 1) seen.h = like.h, seen.row = 0;
    if (v.w == 1 && like.w > 1) seen.w = like.w, seen.pixel = 0;
    return seen;
}
// Whether views a and b, broadcast to y, can be walked as one run.
STRIATE_LAYOUT bool flat_together(const View& a, const View& b, const View& y) {
    return a.c == y.c && b.c == y.c && flat(y) && flat(broadcast_to(a, y)) && flat(broadcast_to(b, y));
}

// Layer normalisation over the last `axes` axes: the size of a normalised row and how many there are.
STRIATE_LAYOUT int64_t normalised_size(const View& v, int axes) {
    return v.c * (axes > 1 ? v.w : 1) * (axes > 2 ? v.h : 1);
}
STRIATE_LAYOUT int64_t normalised_rows(const View& v, int axes) {
    return elements(v) / normalised_size(v, axes);
}
STRIATE_LAYOUT int64_t normalised_per_unit(const View& v, int axes) {
    return at_least_one(kChunk / normalised_size(v, axes));
}

// The first image row of piece `piece` when `count` rows are split into `pieces`.
STRIATE_LAYOUT int64_t piece_begin(int64_t count, int64_t pieces, int64_t piece) {
    return count / pieces * piece + (piece < count % pieces ? piece : count % pieces);
}

}  // namespace striate::kernels
