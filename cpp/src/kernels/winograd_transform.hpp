// The one-dimensional transforms of F(4, 3), on vectors of channels. Included by kernel sources only.
#pragma once

#include "kernels/args_winograd.hpp"
#include "kernels/gemm_call.hpp"
#include "kernels/layout.hpp"
#include "kernels/pool.hpp"
#include "kernels/unroll.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

// B^T x
STRIATE_INLINE void transform_input(const Vec (&x)[6], Vec (&v)[6]) {
    const Vec even = x[4] - 4.0f * x[2], odd = x[3] - 4.0f * x[1];
    const Vec even2 = x[4] - x[2], odd2 = 2.0f * (x[3] - x[1]);
    v[0] = 4.0f * x[0] - 5.0f * x[2] + x[4];
    v[1] = even + odd;
    v[2] = even - odd;
    v[3] = even2 + odd2;
    v[4] = even2 - odd2;
    v[5] = 4.0f * x[1] - 5.0f * x[3] + x[5];
}

// A^T m
STRIATE_INLINE void transform_output(const Vec (&m)[6], Vec (&y)[4]) {
    const Vec sum1 = m[1] + m[2], difference1 = m[1] - m[2], sum2 = m[3] + m[4], difference2 = m[3] - m[4];
    y[0] = m[0] + sum1 + sum2;
    y[1] = difference1 + 2.0f * difference2;
    y[2] = sum1 + 4.0f * sum2;
    y[3] = difference1 + 8.0f * difference2 + m[5];
}

// A y
STRIATE_INLINE void transform_gradient(const Vec (&y)[4], Vec (&z)[6]) {
    const Vec even = y[0] + y[2], odd = y[1] + y[3];
    const Vec even2 = y[0] + 4.0f * y[2], odd2 = 2.0f * y[1] + 8.0f * y[3];
    z[0] = y[0];
    z[1] = even + odd;
    z[2] = even - odd;
    z[3] = even2 + odd2;
    z[4] = even2 - odd2;
    z[5] = y[3];
}

// G g
STRIATE_INLINE void transform_weights(const Vec (&g)[3], Vec (&u)[6]) {
    const Vec ends = (g[0] + g[2]) * (-1.0f / 6), middle = g[1] * (1.0f / 6);
    const Vec ends2 = g[0] * (1.0f / 24) + g[2] * (1.0f / 6), middle2 = g[1] * (1.0f / 12);
    u[0] = g[0] * 0.25f;
    u[1] = ends - middle;
    u[2] = ends + middle;
    u[3] = ends2 + middle2;
    u[4] = ends2 - middle2;
    u[5] = g[2];
}

// G^T u
STRIATE_INLINE void transform_weight_gradient(const Vec (&u)[6], Vec (&g)[3]) {
    const Vec sum1 = (u[1] + u[2]) * (1.0f / 6), sum2 = u[3] + u[4];
    g[0] = u[0] * 0.25f - sum1 + sum2 * (1.0f / 24);
    g[1] = (u[2] - u[1]) * (1.0f / 6) + (u[3] - u[4]) * (1.0f / 12);
    g[2] = u[5] - sum1 + sum2 * (1.0f / 6);
}

// Both dimensions: columns of kIn x kIn become kOut x kIn, then rows kOut x kOut. load(row, column) gives and
// keep(row, column, value) takes the elements.
template <int kIn, int kOut, class Transform, class Load, class Keep>
STRIATE_INLINE void transform_square(Transform transform, Load load, Keep keep) {
    Vec half[kOut][kIn];
    unroll<0, kIn>([&](auto column) STRIATE_BODY {
        Vec in[kIn], out[kOut];
        unroll<0, kIn>([&](auto row) STRIATE_BODY { in[row.value] = load(row, column); });
        transform(in, out);
        unroll<0, kOut>([&](auto row) STRIATE_BODY { half[row.value][column.value] = out[row.value]; });
    });
    unroll<0, kOut>([&](auto row) STRIATE_BODY {
        Vec out[kOut];
        transform(half[row.value], out);
        unroll<0, kOut>([&](auto column) STRIATE_BODY { keep(row, column, out[column.value]); });
    });
}

// A tile of one point's matrix product without its position: the steps between the rows of a and c, and a panel of b.
STRIATE_INLINE TileCall product_tile(int64_t a_step, int64_t panel, int64_t c_step) {
    TileCall t{};
    t.a_step = a_step, t.b_step = panel, t.c_step = c_step;
    t.outer = t.inner = 1;
    return t;
}

// The position of a tile.
struct TilePlace {
    int64_t image, row, col;  // of the tile, in tiles
};
STRIATE_INLINE TilePlace place_of(const WinogradTiles& tiles, int64_t index) {
    const int64_t tile = tiles.first + index, in_image = tile % (tiles.down * tiles.across);
    return {tile / (tiles.down * tiles.across), in_image / tiles.across, in_image % tiles.across};
}
STRIATE_INLINE TilePlace next_place(const WinogradTiles& tiles, TilePlace p) {
    if (++p.col == tiles.across) {
        p.col = 0;
        if (++p.row == tiles.down) {
            p.row = 0;
            ++p.image;
        }
    }
    return p;
}

// The transform of windows of kSize x kSize for the tiles [begin, end) of the block.
template <int kSize, class Transform>
STRIATE_INLINE void transform_map(const WinogradMapArgs& a, int64_t begin, int64_t end, Transform transform) {
    const View& v = a.view;
    const int64_t row_step = v.row, col_step = v.pixel, point = a.point;
    const float zeros[kWidth] = {};
    TilePlace place = place_of(a.tiles, begin);
    for (int64_t t = begin; t < end; ++t, place = next_place(a.tiles, place)) {
        const int64_t row = a.top + 4 * place.row, col = a.left + 4 * place.col;
        const float* x = a.x + place.image * v.image + row * row_step + col * col_step;
        float* out = a.out + t * a.t_step;
        const bool inside =
            row >= a.row_begin && row + kSize <= a.row_end && col >= a.col_begin && col + kSize <= a.col_end;
        if (inside) {
            for (int64_t c = 0, panel = 0; c < v.c; c += a.panel, ++panel)
                for (int64_t j = 0; j < a.panel; j += kWidth) {
                    const float* from = x + c + j;
                    float* to = out + panel * a.panel_step + j;
                    transform_square<kSize, 6>(
                        transform,
                        [&](auto r, auto s)
                            STRIATE_BODY { return load(from + r.value * row_step + s.value * col_step); },
                        [&](auto r, auto s, Vec value)
                            STRIATE_BODY { store(to + (r.value * 6 + s.value) * point, value); });
                }
            continue;
        }
        // At the edge: where each element is read, and how far it moves with the channels; zeros stay where they are.
        const float* from[kSize][kSize];
        int64_t moves[kSize][kSize];
        for (int r = 0; r < kSize; ++r)
            for (int s = 0; s < kSize; ++s) {
                const bool there =
                    row + r >= a.row_begin && row + r < a.row_end && col + s >= a.col_begin && col + s < a.col_end;
                from[r][s] = there ? x + r * row_step + s * col_step : zeros;
                moves[r][s] = there;
            }
        for (int64_t c = 0, panel = 0; c < v.c; c += a.panel, ++panel)
            for (int64_t j = 0; j < a.panel; j += kWidth) {
                float* to = out + panel * a.panel_step + j;
                transform_square<kSize, 6>(
                    transform,
                    [&](auto r, auto s)
                        STRIATE_BODY { return load(from[r.value][s.value] + moves[r.value][s.value] * (c + j)); },
                    [&](auto r, auto s, Vec value)
                        STRIATE_BODY { store(to + (r.value * 6 + s.value) * point, value); });
            }
    }
}

STRIATE_INLINE void input_tiles(const WinogradMapArgs& a, int64_t begin, int64_t end) {
    transform_map<6>(a, begin, end, [](const Vec(&x)[6], Vec(&v)[6]) STRIATE_BODY { transform_input(x, v); });
}

// The outputs of the tiles [begin, end) of the block.
template <bool kAdd, bool kRelu>
STRIATE_INLINE void output_tiles(const WinogradOutputArgs& a, int64_t begin, int64_t end) {
    const View& v = a.view;
    const int64_t point = a.point, row_step = v.row, col_step = v.pixel;
    TilePlace place = place_of(a.tiles, begin);
    for (int64_t t = begin; t < end; ++t, place = next_place(a.tiles, place)) {
        const int64_t rows = v.h - 4 * place.row, cols = v.w - 4 * place.col;
        const bool whole = rows >= 4 && cols >= 4;
        float* y = a.y + place.image * v.image + 4 * place.row * row_step + 4 * place.col * col_step;
        for (int64_t c = 0; c < v.c; c += kWidth) {
            const float* m = a.m + t * v.c + c;
            const Vec bias = a.bias ? load(a.bias + c) : Vec{};
            float* to = y + c;
            const auto transform = [](const Vec(&x)[6], Vec(&out)[4]) STRIATE_BODY { transform_output(x, out); };
            const auto from = [&](auto r, auto s) STRIATE_BODY { return load(m + (r.value * 6 + s.value) * point); };
            const auto finish = [&](float* at, Vec value) STRIATE_BODY {
                value += bias;
                if constexpr (kAdd) value += load(at);
                store(at, kRelu ? max(Vec{}, value) : value);
            };
            if (whole) {
                transform_square<6, 4>(transform, from, [&](auto r, auto s, Vec value) STRIATE_BODY {
                    finish(to + r.value * row_step + s.value * col_step, value);
                });
            } else {
                transform_square<6, 4>(transform, from, [&](auto r, auto s, Vec value) STRIATE_BODY {
                    if (r.value < rows && s.value < cols) finish(to + r.value * row_step + s.value * col_step, value);
                });
            }
        }
    }
}

// The same where y is maxima, four for each tile.
template <bool kRelu, bool kKeep>
STRIATE_INLINE void pooled_tiles(const WinogradOutputArgs& a, int64_t begin, int64_t end) {
    const View& v = a.view;
    const int64_t point = a.point;
    TilePlace place = place_of(a.tiles, begin);
    for (int64_t t = begin; t < end; ++t, place = next_place(a.tiles, place)) {
        const int64_t rows = v.h - 2 * place.row, cols = v.w - 2 * place.col;
        float* y = a.y + place.image * v.image + 2 * place.row * v.row + 2 * place.col * v.pixel;
        uint8_t* const places =
            kKeep ? a.places + ((place.image * v.h + 2 * place.row) * v.w + 2 * place.col) * a.place_step : nullptr;
        for (int64_t c = 0; c < v.c; c += kWidth) {
            const float* m = a.m + t * v.c + c;
            const Vec bias = a.bias ? load(a.bias + c) : Vec{};
            Vec upper[4], left;
            transform_square<6, 4>([](const Vec(&x)[6], Vec(&out)[4]) STRIATE_BODY { transform_output(x, out); },
                                   [&](auto r, auto s)
                                       STRIATE_BODY { return load(m + (r.value * 6 + s.value) * point); },
                                   [&](auto r, auto s, Vec value) STRIATE_BODY {
                                       value += bias;
                                       if constexpr (r.value % 2 == 0) {
                                           upper[s.value] = value;
                                       } else if constexpr (s.value % 2 == 0) {
                                           left = value;
                                       } else {
                                           Vec best = upper[s.value - 1];
                                           VecI winner = {};
                                           challenge(best, winner, upper[s.value], 1);
                                           challenge(best, winner, left, 2);
                                           challenge(best, winner, value, 3);
                                           constexpr int row = r.value / 2, col = s.value / 2;
                                           if (row >= rows || col >= cols) return;
                                           store(y + row * v.row + col * v.pixel + c, kRelu ? max(Vec{}, best) : best);
                                           if constexpr (kKeep) {
                                               if constexpr (kRelu)
                                                   winner = best <= 0.0f ? broadcast_int(kNoPlace) : winner;
                                               narrow_to_bytes(places + (row * v.w + col) * a.place_step + c, winner);
                                           }
                                       }
                                   });
        }
    }
}

// In one copy, as there are many forms of it, each unrolled.
inline __attribute__((noinline)) void output_tiles(const WinogradOutputArgs& a, int64_t begin, int64_t end) {
    if (a.pool) {
        choose(a.relu, [&](auto relu) {
            choose(a.places != nullptr, [&](auto keep) { pooled_tiles<relu.value, keep.value>(a, begin, end); });
        });
        return;
    }
    if (a.accumulate) {
        if (a.relu) return output_tiles<true, true>(a, begin, end);
        return output_tiles<true, false>(a, begin, end);
    }
    if (a.relu) return output_tiles<false, true>(a, begin, end);
    output_tiles<false, false>(a, begin, end);
}

}  // namespace
}  // namespace striate::kernels::STRIATE_ISA
