// Winograd's convolution forward, which is also that to the input: in one kernel, block after block, and its parts for
// convolutions whose weights are large beside their maps.
#include "kernels/gemm_strips.hpp"
#include "kernels/pack.hpp"
#include "kernels/winograd_transform.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

// All rows of one point, `depth` deep, with a panel `b` of weights.
STRIATE_INLINE void multiply(const WinogradProductArgs& a, int64_t depth, const float* from, const float* b, float* c,
                             int64_t c_step, bool add) {
    const Strips strips(a.rows, a.strip, 1);
    const int64_t tiles = strips.per_line();
    TileCall t = product_tile(a.depth, a.panel, c_step);
    t.depth = depth;
    t.b = b;
    t.load = add;
    Place place = strips.at(0);
    for (int64_t tile = 0; tile < tiles; ++tile, place = strips.after(place)) {
        t.a[0] = from + place.start * a.depth;
        t.c[0] = c + place.start * c_step;
        forward_tiles.of[a.panel / kWidth][1][place.length](t);
    }
}

STRIATE_INLINE void product_of(const WinogradProductArgs& a, int64_t point, int64_t panel_begin, int64_t panel_end) {
    for (int64_t panel = panel_begin; panel < panel_end; ++panel)
        for (int64_t depth = 0; depth < a.depth; depth += a.block_depth)
            multiply(a, least(a.block_depth, a.depth - depth), a.a + point * a.a_point + depth,
                     a.b + point * a.b_point + (panel * a.depth + depth) * a.panel,
                     a.c + point * a.c_point + panel * a.panel, a.channels, depth > 0);
}

// `count` depths of a panel of weights.
STRIATE_INLINE void weight_rows(const WinogradWeightsArgs& a, const float* src, float* dst, int64_t count) {
    for (int64_t d = 0; d < count; ++d)
        for (int64_t j = 0; j < a.panel; j += kWidth) {
            const float* from = src + d * a.s_depth + j;
            float* to = dst + d * a.panel + j;
            transform_square<3, 6>(
                [](const Vec(&g)[3], Vec(&u)[6]) STRIATE_BODY { transform_weights(g, u); },
                [&](auto r, auto s) STRIATE_BODY { return load(from + r.value * a.s_row + s.value * a.s_col); },
                [&](auto r, auto s, Vec value) STRIATE_BODY { store(to + (r.value * 6 + s.value) * a.point, value); });
        }
}

// Where the layer's kernel holds `count` depths of a panel, from `depth` on: nine taps of `rows` rows of `floats`.
struct KernelRows {
    const float* first;
    int64_t s_row, s_col, rows, step, floats;
};
STRIATE_INLINE KernelRows kernel_rows(const WinogradStreamedArgs& a, int64_t panel, int64_t depth, int64_t count) {
    if (a.packs) {
        const PackArgs& k = a.pack;
        const float* first = k.src + k.src_offset + panel * k.panel * k.s_channel + depth * k.s_depth;
        return {first, k.s_row, k.s_col, k.panel, k.s_channel, count};
    }
    const WinogradWeightsArgs& w = a.weights;
    return {w.src + depth * w.s_depth + panel * w.s_panel, w.s_row, w.s_col, count, w.s_depth, w.panel};
}
// Asks for a part of them, one of kWinogradPoints, while there is other work to do. They need not exist.
STRIATE_INLINE void prefetch(const KernelRows& k, int64_t part) {
    const int64_t count = 9 * k.rows;
    for (int64_t i = piece_begin(count, kWinogradPoints, part); i < piece_begin(count, kWinogradPoints, part + 1);
         ++i) {
        const int64_t tap = i / k.rows;
        const float* row = k.first + tap / 3 * k.s_row + tap % 3 * k.s_col + i % k.rows * k.step;
        for (int64_t j = 0; j < k.floats; j += 16) __builtin_prefetch(row + j, 0, 2);
    }
}

}  // namespace

void winograd(const WinogradArgs& a, int64_t begin, int64_t end) {
    WinogradMapArgs input = a.input;
    WinogradProductArgs product = a.product;
    WinogradOutputArgs output = a.output;
    float* const v = a.scratch;
    float* const m = v + kWinogradPoints * input.point;
    input.out = v;
    product.a = v;
    product.c = m;
    output.m = m;
    const int64_t panels = divide_up(product.channels, product.panel);
    for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t first = unit * a.block, count = least(a.block, a.tiles - first);
        input.tiles.first = output.tiles.first = first;
        input_tiles(input, 0, count);
        product.rows = count;
        for (int64_t point = 0; point < kWinogradPoints; ++point) product_of(product, point, 0, panels);
        output_tiles(output, 0, count);
    }
}

void winograd_input(const WinogradMapArgs& a, int64_t begin, int64_t end) {
    input_tiles(a, begin * kWinogradTiles, least(end * kWinogradTiles, a.tiles.count));
}

void winograd_product(const WinogradProductArgs& a, int64_t begin, int64_t end) {
    const int64_t panels = divide_up(a.channels, a.panel), blocks = divide_up(panels, a.unit_panels);
    for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t first = unit % blocks * a.unit_panels;
        product_of(a, unit / blocks, first, least(first + a.unit_panels, panels));
    }
}

void winograd_output(const WinogradOutputArgs& a, int64_t begin, int64_t end) {
    output_tiles(a, begin * kWinogradTiles, least(end * kWinogradTiles, a.tiles.count));
}

void winograd_weights(const WinogradWeightsArgs& a, int64_t begin, int64_t end) {
    const int64_t blocks = divide_up(a.depth, kWinogradRows);
    for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t panel = unit / blocks, first = unit % blocks * kWinogradRows;
        weight_rows(a, a.src + first * a.s_depth + panel * a.s_panel, a.dst + (panel * a.depth + first) * a.panel,
                    least(kWinogradRows, a.depth - first));
    }
}

void winograd_streamed(const WinogradStreamedArgs& a, int64_t begin, int64_t end) {
    const int64_t blocks = divide_up(a.tiles, a.block), taps = 9;
    float* const u = a.scratch;
    float* const m = u + kWinogradPoints * a.weights.point;
    float* const packed = m + kWinogradPoints * a.output.point;
    WinogradProductArgs product = a.product;
    WinogradOutputArgs output = a.output;
    output.m = m;
    for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t panel = unit / blocks, first = unit % blocks * a.block, channel = panel * product.panel;
        product.rows = output.tiles.count = least(a.block, a.tiles - first);
        output.tiles.first = first;
        for (int64_t depth = 0; depth < product.depth; depth += product.block_depth) {
            const int64_t count = least(product.block_depth, product.depth - depth);
            if (a.packs) {
                PackArgs pack = a.pack;
                pack.depth = count;
                WinogradWeightsArgs weights = a.weights;
                weights.s_depth = pack.panel;
                weights.s_col = count * pack.panel, weights.s_row = 3 * weights.s_col;
                for (int64_t tap = 0; tap < taps; ++tap)
                    pack_tap(pack, pack.src + pack.src_offset + depth * pack.s_depth, panel, tap,
                             packed + tap * weights.s_col);
                weight_rows(weights, packed, u, count);
            } else {
                const WinogradWeightsArgs& weights = a.weights;
                weight_rows(weights, weights.src + depth * weights.s_depth + panel * weights.s_panel, u, count);
            }
            const bool last = depth + count == product.depth;
            const int64_t then = last ? 0 : depth + count;
            const KernelRows next =
                kernel_rows(a, last ? panel + 1 : panel, then, least(product.block_depth, product.depth - then));
            for (int64_t point = 0; point < kWinogradPoints; ++point) {
                prefetch(next, point);
                multiply(product, count, product.a + point * product.a_point + first * product.depth + depth,
                         u + point * a.weights.point, m + point * output.point, product.panel, depth > 0);
            }
        }
        output.y = a.output.y + channel;
        output.bias = a.output.bias ? a.output.bias + channel : nullptr;
        output.places = a.output.places ? a.output.places + channel : nullptr;
        output_tiles(output, 0, product.rows);
    }
}

}  // namespace striate::kernels::STRIATE_ISA
