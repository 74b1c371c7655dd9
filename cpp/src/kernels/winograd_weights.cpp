// The gradient of a 3x3 convolution with respect to its weights by Winograd's transforms turned around: the products of
// transformed windows and transformed gradients are summed over tiles, and transformed back once.
#include "kernels/gemm_strips.hpp"
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
            t.b = a.z + point * a.z_point + panel * a.z_tiles * a.panel;
            t.c[0] = a.du + point * a.du_point + place.start * a.channels + panel * a.panel;
            transposed_tiles.of[a.panel / kWidth][1][place.length](t);
        }
    }
}

// A row of `channels` back from its 36 points, the sum of `pieces`, to its nine taps.
STRIATE_INLINE void gradient_row(const float* du, int64_t point, int64_t pieces, float* dw, int64_t tap,
                                 int64_t channels) {
    const int64_t piece = kWinogradPoints * point;
    for (int64_t o = 0; o < channels; o += kWidth) {
        const float* from = du + o;
        float* to = dw + o;
        transform_square<6, 3>([](const Vec(&u)[6], Vec(&g)[3]) STRIATE_BODY { transform_weight_gradient(u, g); },
                               [&](auto r, auto s) STRIATE_BODY {
                                   const float* p = from + (r.value * 6 + s.value) * point;
                                   Vec total = load(p);
                                   for (int64_t i = 1; i < pieces; ++i) total += load(p + i * piece);
                                   return total;
                               },
                               [&](auto r, auto s, Vec value)
                                   STRIATE_BODY { store(to + (r.value * 3 + s.value) * tap, value); });
    }
}

}  // namespace

void winograd_gradient(const WinogradMapArgs& a, int64_t begin, int64_t end) {
    gradient_tiles(a, begin * kWinogradTiles, least(end * kWinogradTiles, a.tiles.count));
}

void winograd_input(const WinogradMapArgs& a, int64_t begin, int64_t end);

void winograd_transforms(const WinogradTransformsArgs& a, int64_t begin, int64_t end) {
    const int64_t inputs = divide_up(a.input.tiles.count, kWinogradTiles);
    if (begin < inputs) winograd_input(a.input, begin, least(end, inputs));
    if (end > inputs) winograd_gradient(a.gradient, begin > inputs ? begin - inputs : 0, end - inputs);
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
    for (int64_t d = begin * kWinogradRows; d < least(end * kWinogradRows, a.depth); ++d)
        gradient_row(a.du + d * a.channels, a.point, a.pieces, a.dw + d * a.channels, a.depth * a.channels, a.channels);
}

void winograd_weights_streamed(const WinogradWeightsStreamedArgs& a, int64_t begin, int64_t end) {
    const WinogradWeightProductArgs& product = a.product;
    const int64_t blocks = divide_up(product.depth, a.block_depth), panel_size = product.panel;
    for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t panel = unit / blocks, first = unit % blocks * a.block_depth;
        const int64_t rows = least(a.block_depth, product.depth - first);
        const Strips strips(rows, product.strip, 1);
        TileCall t = product_tile(product.depth, panel_size, panel_size);
        for (int64_t point = 0; point < kWinogradPoints; ++point)
            for (int64_t done = 0; done < product.tiles; done += a.block_tiles) {
                t.depth = least(a.block_tiles, product.tiles - done);
                t.load = done > 0;
                t.b = product.z + point * product.z_point + (panel * product.z_tiles + done) * panel_size;
                Place place = strips.at(0);
                for (int64_t tile = 0; tile < strips.per_line(); ++tile, place = strips.after(place)) {
                    t.a[0] = product.v + point * product.v_point + done * product.depth + first + place.start;
                    t.c[0] = a.scratch + point * product.du_point + place.start * panel_size;
                    transposed_tiles.of[panel_size / kWidth][1][place.length](t);
                }
            }
        for (int64_t d = 0; d < rows; ++d)
            gradient_row(a.scratch + d * panel_size, product.du_point, 1,
                         a.dw + (first + d) * product.channels + panel * panel_size, product.depth * product.channels,
                         panel_size);
    }
}

}  // namespace striate::kernels::STRIATE_ISA
