#include "cpu/winograd.hpp"

#include <algorithm>

#include "cpu/convolution_schedule.hpp"
#include "kernels/layout.hpp"

namespace striate::convolution {
namespace {

using kernels::divide_up;
using kernels::kWinogradPoints;

constexpr int64_t kTile = 4;                // outputs along a side
constexpr int64_t kBlockBytes = 640 << 10;  // of transformed maps that one thread works on
constexpr int64_t kMinTiles = 24, kMaxTiles = 48;
constexpr int64_t kMinBlocks = 8;          // with fewer, the parts are dealt out one by one
constexpr int64_t kWeightBlock = 128;      // tiles whose products are summed at a time
constexpr int64_t kSmallSums = 640 << 10;  // bytes of transformed weight gradients that may be split into pieces
constexpr int64_t kMaxWinogradPieces = 8;
constexpr int64_t kCachedWeights = 8 << 20;  // bytes that a last-level cache holds beside everything else
constexpr int64_t kLongestDepth = 256;       // so that a panel of weights stays in the first-level cache
// Of weights that are streamed: floats of a panel, its depths at a time, and the tiles that share them.
constexpr int64_t kStreamPanel = 32, kStreamDepth = 64, kStreamTiles = 64;

// Channels are whole panels, so that no vector is cut.
int64_t panel_vectors(const Machine& m, int64_t channels, int64_t most = 4) {
    int64_t vectors = std::min<int64_t>(most, m.many_registers ? 4 : 2);
    while (channels % (vectors * m.lanes) != 0) --vectors;
    return vectors;
}

// The distance between matrices of so many floats: an odd number of cache lines, lest all 36 fall into one set.
int64_t point_step(int64_t floats) {
    return (divide_up(floats, 16) | 1) * 16;
}

// Tiles, of so many, whose transformed maps of so many channels together one thread works on, in a multiple of `rows`.
int64_t block_tiles(int64_t tiles, int64_t channels, int64_t rows) {
    const int64_t most = std::clamp(tiles / kMinBlocks, kMinTiles, kMaxTiles);
    const int64_t wanted = std::clamp(kBlockBytes / (kWinogradPoints * 4 * channels), kMinTiles, most);
    return std::max(rows, wanted / rows * rows);
}

kernels::WinogradTiles tiles_of(const View& outputs) {
    return {divide_up(outputs.h, kTile), divide_up(outputs.w, kTile), 0, 0};
}

kernels::WinogradMapArgs map_args(const View& x, const Halo& halo, int64_t top, int64_t left,
                                  const kernels::WinogradTiles& tiles) {
    kernels::WinogradMapArgs a{};
    a.view = x;
    a.top = top, a.left = left;
    a.row_begin = -halo.top, a.row_end = x.h + halo.bottom;
    a.col_begin = -halo.left, a.col_end = x.w + halo.right;
    a.tiles = tiles;
    a.t_step = a.panel = x.c;
    return a;
}

// From x to y, where the window of the first tile begins at (top, left). What is left to do is where weights come from.
WinogradLowered lower(const View& x, const Halo& halo, int64_t top, int64_t left, const View& y, const Machine& machine,
                      bool weights_stay) {
    WinogradLowered l{};
    kernels::WinogradArgs& a = l.all;
    const kernels::WinogradTiles tiles = tiles_of(y);
    a.tiles = y.n * tiles.down * tiles.across;
    int64_t vectors = panel_vectors(machine, y.c);
    a.block = block_tiles(a.tiles, x.c + y.c, tile_rows(machine, vectors));
    l.way = divide_up(a.tiles, a.block) >= kMinBlocks ? WinogradWay::blocked
            : weights_stay                            ? WinogradWay::parts
                                                      : WinogradWay::streamed;
    const bool streamed = l.way == WinogradWay::streamed;
    if (streamed) vectors = panel_vectors(machine, y.c, kStreamPanel / machine.lanes);
    const int64_t panel = vectors * machine.lanes, rows = tile_rows(machine, vectors);
    const int64_t together = l.way == WinogradWay::blocked ? a.block : a.tiles;

    a.input = map_args(x, halo, top, left, tiles);
    a.input.tiles.count = together;
    a.input.point = point_step(together * x.c);
    a.output.view = y;
    a.output.point = point_step(together * y.c);
    a.output.tiles = a.input.tiles;
    kernels::WinogradProductArgs& product = a.product;
    product.rows = together, product.depth = x.c, product.channels = y.c;
    product.panel = panel, product.unit_panels = std::max<int64_t>(1, divide_up(y.c, panel) / 2);
    product.strip = rows;
    product.block_depth = divide_up(x.c, divide_up(x.c, streamed ? kStreamDepth : kLongestDepth));
    product.a_point = a.input.point, product.c_point = a.output.point;
    product.b_point = point_step(x.c * y.c);
    l.weights.depth = x.c, l.weights.channels = y.c;
    l.weights.panel = panel, l.weights.point = product.b_point;
    l.weight_floats = kWinogradPoints * product.b_point;
    l.v_floats = kWinogradPoints * a.input.point;
    l.m_floats = kWinogradPoints * a.output.point;
    l.scratch_floats = l.v_floats + l.m_floats;
    if (streamed) {
        a.block = divide_up(a.tiles, divide_up(a.tiles, kStreamTiles));
        a.output.point = point_step(a.block * panel);
        l.weights.point = point_step(product.block_depth * panel);
        l.scratch_floats = kWinogradPoints * (l.weights.point + a.output.point);
    }
    return l;
}

// Once the way to the weights is known.
void stream(WinogradLowered& l) {
    if (l.way != WinogradWay::streamed) return;
    const kernels::WinogradArgs& a = l.all;
    l.streamed = {a.product, l.weights, l.pack, !l.direct, a.output, a.block, a.tiles, nullptr};
    l.streamed.output.view.c = a.product.panel;
    if (!l.direct) l.scratch_floats += 9 * a.product.block_depth * a.product.panel;
}

}  // namespace

bool winograd_fits(const Problem& p) {
    if (!(p.kernel == Pair(3) && p.stride == Pair(1) && p.dilation == Pair(1) && p.groups == 1)) return false;
    if (p.in_c % 16 != 0 || p.out_c % 16 != 0) return false;
    // At the edge tiles stick out; both directions count, as they are planned together.
    const auto saved = [](int64_t h, int64_t w) {
        const auto outputs = static_cast<double>(9 * h * w);
        return outputs / static_cast<double>(kWinogradPoints * divide_up(h, kTile) * divide_up(w, kTile));
    };
    return saved(p.out_h, p.out_w) >= 2.0 && saved(p.in_h, p.in_w) >= 2.0;
}

bool winograd_pays(const Problem& p, int64_t images, int64_t h, int64_t w) {
    const int64_t tiles = images * divide_up(h, kTile) * divide_up(w, kTile);
    return tiles > 1 || kWinogradPoints * p.in_c * p.out_c * 4 <= kCachedWeights;
}

Tiled winograd_tiled(int64_t h, int64_t w) {
    const auto whole = [](int64_t size) { return size > kTile && size % kTile == 1 ? size - 1 : size; };
    return {whole(h), whole(w)};
}

WinogradLowered winograd_forward(const Problem& p, const View& x, const Halo& x_halo, const View& y,
                                 const Machine& machine, bool weights_stay) {
    WinogradLowered l = lower(x, x_halo, -p.pad_top, -p.pad_left, y, machine, weights_stay);
    l.direct = true;
    l.weights.s_row = 3 * p.in_c * p.out_c, l.weights.s_col = p.in_c * p.out_c;
    l.weights.s_depth = p.out_c, l.weights.s_panel = l.weights.panel;
    stream(l);
    return l;
}

WinogradLowered winograd_to_input(const Problem& p, const View& dy, const Halo& dy_halo, const View& dx,
                                  const Machine& machine, bool weights_stay) {
    WinogradLowered l = lower(dy, dy_halo, p.pad_top - 2, p.pad_left - 2, dx, machine, weights_stay);
    // The kernel turned by half a turn, with its channels exchanged.
    kernels::PackArgs& k = l.pack;
    const int64_t tap = p.in_c * p.out_c, packed_tap = p.out_c * l.weights.panel;
    k.groups = 1, k.rows = k.cols = 3;
    k.depth = p.out_c, k.channels = p.in_c, k.panel = l.weights.panel;
    k.src_offset = 8 * tap;
    k.s_row = -3 * tap, k.s_col = -tap;
    k.s_depth = 1, k.s_channel = p.out_c;
    l.packed_floats = 9 * p.in_c * p.out_c;
    l.weights.s_row = 3 * packed_tap, l.weights.s_col = packed_tap;
    l.weights.s_depth = l.weights.panel, l.weights.s_panel = 9 * packed_tap;
    stream(l);
    return l;
}

void winograd_pools(WinogradLowered& l, const View& maxima) {
    for (kernels::WinogradOutputArgs* output : {&l.all.output, &l.streamed.output}) {
        const int64_t channels = output->view.c;
        output->view = maxima;
        output->view.c = channels;
        output->pool = true;
        output->place_step = maxima.c;
    }
}

WinogradWeightsLowered winograd_to_weights(const Problem& p, const View& x, const Halo& x_halo, const View& dy,
                                           const Machine& machine) {
    WinogradWeightsLowered l{};
    kernels::WinogradToWeightsArgs& a = l.all;
    const kernels::WinogradTiles tiles = tiles_of(dy);
    a.tiles = dy.n * tiles.down * tiles.across;
    const int64_t vectors = panel_vectors(machine, p.out_c, 2), panel = vectors * machine.lanes;
    const int64_t du_point = point_step(p.in_c * p.out_c), du_bytes = kWinogradPoints * du_point * 4;
    // Small weights: pieces of the tiles have a sum each. Large ones: the products are dealt out, block by block of
    // tiles unless all the maps take less room than the weights.
    const bool blocked = du_bytes <= kSmallSums && a.tiles >= kMinTiles * kMinBlocks;
    const bool streamed = !blocked && a.tiles * (p.in_c + p.out_c) <= p.in_c * p.out_c;
    l.way = blocked ? WinogradWay::blocked : streamed ? WinogradWay::streamed : WinogradWay::parts;
    a.pieces = blocked ? std::min(kMaxWinogradPieces, a.tiles / kMinTiles) : 1;
    const int64_t most = blocked ? block_tiles(a.tiles, p.in_c + p.out_c, 1) : streamed ? a.tiles : kWeightBlock;
    const int64_t in_piece = divide_up(a.tiles, a.pieces);
    a.block = divide_up(in_piece, divide_up(in_piece, most));

    a.input = map_args(x, x_halo, -p.pad_top, -p.pad_left, tiles);
    a.input.point = point_step(a.block * p.in_c);
    a.gradient = map_args(dy, {}, 0, 0, tiles);
    a.gradient.point = point_step(a.block * p.out_c);
    a.gradient.panel = a.gradient.t_step = panel;
    a.gradient.panel_step = a.block * panel;
    kernels::WinogradWeightProductArgs& product = a.product;
    product.v_point = a.input.point, product.z_point = a.gradient.point;
    product.du_point = du_point;
    product.z_tiles = a.block;
    product.depth = p.in_c, product.channels = p.out_c;
    product.panel = panel, product.unit_panels = std::max<int64_t>(1, divide_up(p.out_c, panel) / 2);
    product.strip = tile_rows(machine, vectors);
    l.result.depth = p.in_c, l.result.channels = p.out_c, l.result.point = du_point, l.result.pieces = a.pieces;
    l.v_floats = kWinogradPoints * a.input.point;
    l.z_floats = kWinogradPoints * a.gradient.point;
    l.du_floats = a.pieces * kWinogradPoints * du_point;
    l.scratch_floats = l.v_floats + l.z_floats;
    if (streamed) {
        product.tiles = a.tiles;
        l.streamed.block_depth = divide_up(p.in_c, divide_up(p.in_c, kStreamDepth));
        l.streamed.block_tiles = divide_up(a.tiles, divide_up(a.tiles, kWeightBlock));
        product.du_point = point_step(l.streamed.block_depth * panel);
        a.input.tiles.count = a.gradient.tiles.count = a.tiles;
        l.streamed.product = product;
        l.scratch_floats = kWinogradPoints * product.du_point;
    }
    return l;
}

}  // namespace striate::convolution
