// The gradient of a 3x3 convolution with respect to its weights by Winograd's transforms turned around: the products of
// transformed windows and transformed gradients are summed over tiles, and transformed back once.
#include "kernels/gemm_dispatch.hpp"
#include "kernels/winograd_transform.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

STRIATE_INLINE void gradient_tiles(const WinogradMapArgs& a, int64_t begin, int64_t end) {
    transform_map<4>(a, begin, end, [](const Vec(&y)[4], Vec(&z)[6]) STRIATE_BODY { transform_gradient(y, z); });
}

STRIATE_INLINE void product_of(const WinogradWeightProductArgs& a, int64_t point, int64_t panel_begin,
                               int64_t panel_end) {
    const Strips strips(a.depth, a.strip, 1);
    TileCall t = product_tile(a.depth, a.panel, a.channels);
    t.depth = a.tiles;
    t.load = a.accumulate;
    Place place = strips.at(0);
    for (int64_t tile = 0; tile < strips.per_line(); ++tile, place = strips.after(place)) {
        t.a[0] = a.v + point * a.v_point + place.start;
        for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
            const int64_t channels = least(a.panel, a.channels - panel * a.panel);
            t.b = a.z + point * a.z_point + panel * a.z_tiles * a.panel;
            t.c[0] = a.du + point * a.du_point + place.start * a.channels + panel * a.panel;
            tile_for<Walk::transposed>(channels / kWidth, 1, place.length)(t);
        }
    }
}

}  // namespace

void winograd_gradient(const WinogradMapArgs& a, int64_t begin, int64_t end) {
    gradient_tiles(a, begin * kWinogradTiles, least(end * kWinogradTiles, a.tiles.count));
}

void winograd_weight_product(const WinogradWeightProductArgs& a, int64_t begin, int64_t end) {
    const int64_t panels = divide_up(a.channels, a.panel), blocks = divide_up(panels, a.unit_panels);
    for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t first = unit % blocks * a.unit_panels;
        product_of(a, unit / blocks, first, least(first + a.unit_panels, panels));
    }
}

void winograd_to_weights(const WinogradToWeightsArgs& a, int64_t begin, int64_t end) {
    WinogradMapArgs input = a.input, gradient = a.gradient;
    WinogradWeightProductArgs product = a.product;
    input.out = a.scratch;
    gradient.out = a.scratch + kWinogradPoints * input.point;
    product.v = input.out;
    product.z = gradient.out;
    const int64_t panels = divide_up(product.channels, product.panel);
    for (int64_t piece = begin; piece < end; ++piece) {
        const int64_t first = piece_begin(a.tiles, a.pieces, piece), last = piece_begin(a.tiles, a.pieces, piece + 1);
        product.du = a.du + piece * kWinogradPoints * product.du_point;
        for (int64_t tile = first; tile < last; tile += a.block) {
            input.tiles.first = gradient.tiles.first = tile;
            product.tiles = least(a.block, last - tile);
            product.accumulate = tile > first;
            input_tiles(input, 0, product.tiles);
            gradient_tiles(gradient, 0, product.tiles);
            for (int64_t point = 0; point < kWinogradPoints; ++point) product_of(product, point, 0, panels);
        }
    }
}

void winograd_weight_gradient(const WinogradWeightGradArgs& a, int64_t begin, int64_t end) {
    const int64_t tap = a.depth * a.channels, piece = kWinogradPoints * a.point;
    for (int64_t d = begin * kWinogradRows; d < least(end * kWinogradRows, a.depth); ++d)
        for (int64_t o = 0; o < a.channels; o += kWidth) {
            const float* from = a.du + d * a.channels + o;
            float* to = a.dw + d * a.channels + o;
            transform_square<6, 3>([](const Vec(&u)[6], Vec(&g)[3]) STRIATE_BODY { transform_weight_gradient(u, g); },
                                   [&](auto r, auto s) STRIATE_BODY {
                                       const float* p = from + (r.value * 6 + s.value) * a.point;
                                       Vec total = load(p);
                                       for (int64_t i = 1; i < a.pieces; ++i) total += load(p + i * piece);
                                       return total;
                                   },
                                   [&](auto r, auto s, Vec value)
                                       STRIATE_BODY { store(to + (r.value * 3 + s.value) * tap, value); });
        }
}

}  // namespace striate::kernels::STRIATE_ISA
