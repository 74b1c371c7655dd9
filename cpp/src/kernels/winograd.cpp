// Winograd's convolution forward, which is also that to the input: in one kernel, block after block, and its parts for
// convolutions whose weights are large beside their maps.
#include "kernels/gemm_dispatch.hpp"
#include "kernels/winograd_transform.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

STRIATE_INLINE void product_of(const WinogradProductArgs& a, int64_t point, int64_t panel_begin, int64_t panel_end) {
    const Strips strips(a.rows, a.strip, 1);
    const int64_t tiles = strips.per_line();
    for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
        const int64_t channels = least(a.panel, a.channels - panel * a.panel);
        TileCall t = product_tile(a.depth, a.panel, a.channels);
        for (int64_t depth = 0; depth < a.depth; depth += a.block_depth) {
            t.depth = least(a.block_depth, a.depth - depth);
            t.b = a.b + point * a.b_point + (panel * a.depth + depth) * a.panel;
            t.load = depth > 0;
            Place place = strips.at(0);
            for (int64_t tile = 0; tile < tiles; ++tile, place = strips.after(place)) {
                t.a[0] = a.a + point * a.a_point + place.start * a.depth + depth;
                t.c[0] = a.c + point * a.c_point + place.start * a.channels + panel * a.panel;
                tile_for<Walk::forward>(channels / kWidth, 1, place.length)(t);
            }
        }
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
        const int64_t panel = unit / blocks, first = unit % blocks * kWinogradRows,
                      last = least(first + kWinogradRows, a.depth);
        const int64_t width = least(a.panel, a.channels - panel * a.panel);
        for (int64_t d = first; d < last; ++d)
            for (int64_t j = 0; j < width; j += kWidth) {
                const float* from = a.src + d * a.s_depth + panel * a.s_panel + j;
                float* to = a.dst + (panel * a.depth + d) * a.panel + j;
                transform_square<3, 6>([](const Vec(&g)[3], Vec(&u)[6]) STRIATE_BODY { transform_weights(g, u); },
                                       [&](auto r, auto s)
                                           STRIATE_BODY { return load(from + r.value * a.s_row + s.value * a.s_col); },
                                       [&](auto r, auto s, Vec value)
                                           STRIATE_BODY { store(to + (r.value * 6 + s.value) * a.point, value); });
            }
    }
}

}  // namespace striate::kernels::STRIATE_ISA
