#include "kernels/args_augment.hpp"
#include "kernels/lanes.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

// Whole part and remainder of a coordinate.
struct Place {
    VecI low;
    Vec part;
};
STRIATE_INLINE Place split(Vec place) {
    VecI low = __builtin_convertvector(place, VecI);
    low += __builtin_convertvector(low, Vec) > place;  // towards minus infinity
    return {low, place - __builtin_convertvector(low, Vec)};
}

template <class Lanes>
STRIATE_INLINE Vec coordinate(const PixelMap& map, const float* along, float down, const float* bend, int64_t x,
                              int64_t y, Lanes lanes) {
    Vec place = lanes.load(along + x) + down;
    if (bend) {
        const float* share = map.shares + 4 * y;
        const float* point = bend + map.knots[y] * map.w + x;
        Vec moved = share[0] * lanes.load(point);
        for (int k = 1; k < 4; ++k) moved += share[k] * lanes.load(point + k * map.w);
        place += moved;
    }
    return place;
}

// i modulo n, exact for quotients below 2^20; some value of 0 .. n - 1 beyond.
STRIATE_INLINE VecI modulo(VecI i, int32_t n) {
    const VecI quotient =
        __builtin_convertvector(__builtin_convertvector(i, Vec) * (1.0f / static_cast<float>(n)), VecI);
    VecI rest = i - quotient * n;
    rest += (rest < 0) & n;
    rest -= (rest >= n) & n;
    // The quotient is cut towards zero and may be one off: below -n or above n no rest can be.
    rest += (rest < 0) & n;
    rest = rest < 0 ? VecI{} : rest;
    return rest >= n ? broadcast_int(n - 1) : rest;
}

// The pixel of 0 .. n - 1 for any whole coordinate; Border::constant: n outside.
template <Border border>
STRIATE_INLINE VecI inside(VecI i, int32_t n) {
    if constexpr (border == Border::constant) {
        return ((i < 0) | (i >= n)) ? broadcast_int(n) : i;
    } else if constexpr (border == Border::nearest) {
        i = i < 0 ? VecI{} : i;
        return i >= n ? broadcast_int(n - 1) : i;
    } else if constexpr (border == Border::wrap) {
        return modulo(i, n);
    } else {
        const VecI there = modulo(i, 2 * n), back = 2 * n - 1 - there;
        return there < back ? there : back;
    }
}

STRIATE_INLINE Vec gather_floats(const float* base, VecI index) {
#if defined(__AVX512F__)
    return reinterpret_cast<Vec>(
        _mm512_mask_i32gather_ps(_mm512_setzero_ps(), 0xffff, reinterpret_cast<__m512i>(index), base, 4));
#elif defined(__AVX2__)
    return reinterpret_cast<Vec>(_mm256_i32gather_ps(base, reinterpret_cast<__m256i>(index), 4));
#else
    Vec v;
    for (int i = 0; i < kWidth; ++i) v[i] = base[index[i]];
    return v;
#endif
}

// The four pixels of a source of w + 1 columns around a place, as offsets of their first channel, and where between
// them it is.
struct Corners {
    VecI upper_left, upper_right, lower_left, lower_right;
    Vec along, down;
};
template <Border border, class Lanes>
STRIATE_INLINE Corners corners(const PixelMap& map, int32_t c, int64_t x, int64_t y, Lanes lanes) {
    const int32_t w = static_cast<int32_t>(map.w), h = static_cast<int32_t>(map.h);
    const Place column = split(coordinate(map, map.along_x, map.down_x[y], map.bend_x, x, y, lanes));
    const Place row = split(coordinate(map, map.along_y, map.down_y[y], map.bend_y, x, y, lanes));
    const VecI x0 = inside<border>(column.low, w), x1 = inside<border>(column.low + 1, w);
    const VecI y0 = inside<border>(row.low, h) * (w + 1), y1 = inside<border>(row.low + 1, h) * (w + 1);
    return {(y0 + x0) * c, (y0 + x1) * c, (y1 + x0) * c, (y1 + x1) * c, column.part, row.part};
}

template <Border border>
STRIATE_INLINE void warp_rows(const WarpArgs& a, int64_t begin, int64_t end) {
    const PixelMap& map = a.map;
    const int32_t c = static_cast<int32_t>(a.c);
    for (int64_t y = begin; y < end; ++y) {
        float* out = a.out + y * map.w * a.c;
        each_vector(map.w, [&](int64_t x, auto lanes) {
            const Corners at = corners<border>(map, c, x, y, lanes);
            for (int32_t channel = 0; channel < c; ++channel) {
                const float* plane = a.source + channel;
                // a + part * (b - a) keeps a flat region flat to the last bit.
                Vec upper = gather_floats(plane, at.upper_left), lower = gather_floats(plane, at.lower_left);
                upper += at.along * (gather_floats(plane, at.upper_right) - upper);
                lower += at.along * (gather_floats(plane, at.lower_right) - lower);
                upper += at.down * (lower - upper);
                if (c == 1) {
                    lanes.store(out + x, upper);
                } else {
                    float values[kWidth];
                    store(values, upper);
                    for (int64_t i = 0; i < lanes.size(); ++i) out[(x + i) * c + channel] = values[i];
                }
            }
        });
    }
}

template <Border border>
STRIATE_INLINE void add_back(const WarpGradArgs& a) {
    const PixelMap& map = a.map;
    const int32_t c = static_cast<int32_t>(a.c);
    for (int64_t y = 0; y < map.h; ++y) {
        const float* dy = a.dy + y * map.w * a.c;
        each_vector(map.w, [&](int64_t x, auto lanes) {
            const Corners at = corners<border>(map, c, x, y, lanes);
            const VecI offsets[] = {at.upper_left, at.upper_right, at.lower_left, at.lower_right};
            const Vec up = 1.0f - at.down, left = 1.0f - at.along;
            const Vec shares[] = {up * left, up * at.along, at.down * left, at.down * at.along};
            for (int64_t i = 0; i < lanes.size(); ++i)
                for (int corner = 0; corner < 4; ++corner) {
                    float* to = a.source + offsets[corner][i];
                    for (int32_t channel = 0; channel < c; ++channel)
                        to[channel] += shares[corner][i] * dy[(x + i) * c + channel];
                }
        });
    }
}

template <Border border>
STRIATE_INLINE void nearest_rows(const NearestArgs& a, int64_t begin, int64_t end) {
    const PixelMap& map = a.map;
    const int32_t w = static_cast<int32_t>(map.w), h = static_cast<int32_t>(map.h);
    for (int64_t y = begin; y < end; ++y)
        each_vector(map.w, [&](int64_t x, auto lanes) {
            const Place column = split(coordinate(map, map.along_x, map.down_x[y], map.bend_x, x, y, lanes));
            const Place row = split(coordinate(map, map.along_y, map.down_y[y], map.bend_y, x, y, lanes));
            // A comparison that holds is -1 in its lane.
            const VecI from_x = inside<border>(column.low - (column.part >= 0.5f), w);
            const VecI from_y = inside<border>(row.low - (row.part >= 0.5f), h);
            VecI chosen = from_y * w + from_x;
            if constexpr (border == Border::constant) chosen |= (from_x == w) | (from_y == h);
            lanes.store_ints(a.out + y * map.w + x, chosen);
        });
}

}  // namespace

void warp(const WarpArgs& a, int64_t begin, int64_t end) {
    switch (a.map.border) {
        case Border::reflect:
            return warp_rows<Border::reflect>(a, begin, end);
        case Border::wrap:
            return warp_rows<Border::wrap>(a, begin, end);
        case Border::constant:
            return warp_rows<Border::constant>(a, begin, end);
        case Border::nearest:
            return warp_rows<Border::nearest>(a, begin, end);
    }
}

void warp_backward(const WarpGradArgs& a, int64_t begin, int64_t end) {
    if (begin >= end) return;
    switch (a.map.border) {
        case Border::reflect:
            return add_back<Border::reflect>(a);
        case Border::wrap:
            return add_back<Border::wrap>(a);
        case Border::constant:
            return add_back<Border::constant>(a);
        case Border::nearest:
            return add_back<Border::nearest>(a);
    }
}

void nearest_pixels(const NearestArgs& a, int64_t begin, int64_t end) {
    switch (a.map.border) {
        case Border::reflect:
            return nearest_rows<Border::reflect>(a, begin, end);
        case Border::wrap:
            return nearest_rows<Border::wrap>(a, begin, end);
        case Border::constant:
            return nearest_rows<Border::constant>(a, begin, end);
        case Border::nearest:
            return nearest_rows<Border::nearest>(a, begin, end);
    }
}

}  // namespace striate::kernels::STRIATE_ISA
