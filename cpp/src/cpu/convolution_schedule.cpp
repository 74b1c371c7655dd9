#include "cpu/convolution_schedule.hpp"

#include <algorithm>

#include "kernels/layout.hpp"

namespace striate::convolution {
namespace {

using kernels::divide_up;

int64_t round_up(int64_t a, int64_t b) {
    return divide_up(a, b) * b;
}

// One line where rows, or whole images, follow each other without a gap.
template <class Args>
void merge_lines(Args& a) {
    if (a.rows > 1 && a.cols > 1 && (a.x_row != a.cols * a.x_col || a.y_row != a.cols * a.y_col)) return;
    if (a.cols == 1) a.x_col = a.x_row, a.y_col = a.y_row;
    a.cols *= a.rows;
    a.rows = 1;
    if (a.images > 1 && a.cols > 1 && (a.x_image != a.cols * a.x_col || a.y_image != a.cols * a.y_col)) return;
    if (a.cols == 1) a.x_col = a.x_image, a.y_col = a.y_image;
    a.cols *= a.images;
    a.images = 1;
}

// Walks along the images where it walked along the pixels of a row.
template <class Args>
void turn(Args& a) {
    std::swap(a.images, a.cols);
    std::swap(a.x_image, a.x_col);
    std::swap(a.y_image, a.y_col);
}

// Several lines, of `length` each, share a tile: as many as there are tiles for.
int64_t segments_of(const Machine& m, int64_t vectors, int64_t length, int64_t lines) {
    constexpr int64_t kMaxLines = 4;
    const int64_t fit = tile_rows(m, std::max<int64_t>(2, vectors)) / length;
    const int64_t most = std::clamp<int64_t>(std::min(fit, lines), 1, kMaxLines);
    return divide_up(lines, divide_up(lines, most));
}

constexpr int64_t kSmallWeights = 512 * 1024;  // bytes that may stay in the second-level cache beside the pixels
constexpr int64_t kWeightBlock = 256 * 1024;
constexpr int64_t kUnitWork = int64_t{1} << 20;  // multiply-adds
constexpr int64_t kSmallSlots = int64_t{1} << 20;
constexpr int64_t kMaxPieces = 16;
constexpr int64_t kPiecePixels = 256;  // at least, so that adding up the pieces costs little

// Of a device that works in blocks of threads: how many fill it, the side of the tile that a block computes, and what
// the pieces of a gradient may take.
constexpr int64_t kBlocks = 264, kTile = 64;
constexpr int64_t kMaxBlockPieces = 64;
constexpr int64_t kBlockSlots = int64_t{1} << 24;  // floats

}  // namespace

int64_t tile_rows(const Machine& m, int64_t vectors) {
    if (m.many_registers) return vectors == 1 ? 26 : vectors == 2 ? 14 : vectors == 3 ? 8 : 6;
    return vectors == 1 ? 12 : 6;
}

void schedule(kernels::ConvArgs& a, const Machine& m) {
    const int64_t depth = a.tap_rows * a.tap_cols * a.depth;
    merge_lines(a);
    const int64_t most = m.whole_panels ? a.channels : m.many_registers ? 4 : 2;
    const int64_t vectors = std::min(most, divide_up(a.channels, m.lanes));
    const int64_t limit = tile_rows(m, vectors);
    // A map that is too narrow for a tile: walk along the images instead, or let several lines share a tile.
    if (a.cols * 4 < limit && a.images > a.cols) turn(a);
    a.panel = vectors * m.lanes;
    a.w_step = a.panel;
    a.w_panel = depth * a.panel;
    a.w_group = divide_up(a.channels, a.panel) * a.w_panel;
    a.strip = divide_up(a.cols, divide_up(a.cols, limit));
    const int64_t lines = a.images * a.rows;
    a.segments = a.strip == a.cols ? segments_of(m, vectors, a.cols, lines) : 1;

    const int64_t panels = divide_up(a.channels, a.panel), panel_bytes = std::max<int64_t>(1, a.w_panel * 4);
    a.unit_panels =
        panels * panel_bytes <= kSmallWeights ? panels : std::clamp<int64_t>(kWeightBlock / panel_bytes, 1, panels);
    a.panels_outer = a.unit_panels < panels;
    a.block_rows = std::max<int64_t>(1, a.tap_rows);
    a.block_depth = std::max<int64_t>(1, a.depth);
    if (panel_bytes > kSmallWeights) {
        const int64_t row_bytes = panel_bytes / a.tap_rows;
        a.block_rows = std::max<int64_t>(1, kWeightBlock / row_bytes);
        if (row_bytes > kWeightBlock)
            a.block_depth = round_up(divide_up(a.depth, divide_up(row_bytes, kWeightBlock)), 16);
    }
    const int64_t tiles = divide_up(lines, a.segments) * divide_up(a.cols, a.strip);
    const int64_t tile_work =
        std::max<int64_t>(1, a.segments * a.strip * depth * std::min(a.channels, a.unit_panels * a.panel));
    a.unit_tiles = std::clamp<int64_t>(kUnitWork / tile_work, 1, tiles);
}

void schedule(kernels::ConvWeightArgs& a, const Machine& m) {
    const int64_t taps = a.tap_rows * a.tap_cols, rows = taps * a.depth;
    merge_lines(a);
    if (a.cols < 8 && a.images > a.cols) turn(a);

    const int64_t vectors = std::min<int64_t>(2, divide_up(a.channels, m.lanes));
    const int64_t limit = tile_rows(m, vectors);
    a.panel = vectors * m.lanes;
    a.w_step = round_up(a.channels, m.lanes);
    a.strip = divide_up(a.depth, divide_up(a.depth, limit));
    a.segments = a.strip == a.depth ? segments_of(m, vectors, a.depth, taps) : 1;

    const int64_t chunk = 128;  // pixels of the gradient that are packed at a time
    a.chunk_cols = divide_up(a.cols, divide_up(a.cols, chunk));
    a.chunk_rows = std::min(a.rows, std::max<int64_t>(1, chunk / a.chunk_cols));
    const bool whole = a.chunk_rows == a.rows && a.chunk_cols == a.cols;
    a.chunk_images = whole ? std::min(a.images, std::max<int64_t>(1, chunk / (a.rows * a.cols))) : 1;
    const int64_t chunks =
        divide_up(a.images, a.chunk_images) * divide_up(a.rows, a.chunk_rows) * divide_up(a.cols, a.chunk_cols);
    const int64_t panels = divide_up(a.channels, a.panel);
    a.pack = a.channels % m.lanes != 0 || (panels > 1 && rows >= 128);

    // Small weights: the pixels are dealt out, and every piece has a slot of its own. Large ones, and those for which
    // there are few pixels: the weights are.
    const int64_t slot = a.groups * rows * a.w_step, pixels = a.images * a.rows * a.cols;
    a.pieces = 1;
    if (m.whole_panels) {
        const int64_t tiles = a.groups * divide_up(rows, kTile) * divide_up(a.channels, kTile);
        const int64_t wanted = std::min(divide_up(kBlocks, tiles), pixels / kPiecePixels);
        a.pieces = std::clamp<int64_t>(wanted, 1, std::min(kMaxBlockPieces, std::max<int64_t>(1, kBlockSlots / slot)));
    } else if (slot * 4 <= kSmallSlots) {
        const double work = static_cast<double>(slot) * static_cast<double>(pixels);
        const auto wanted =
            static_cast<int64_t>(std::min(work / kUnitWork, static_cast<double>(pixels / kPiecePixels)));
        a.pieces = std::clamp<int64_t>(wanted, 1, std::min(kMaxPieces, chunks));
    }
    if (a.pieces > 1) {
        a.unit_panels = panels;
        a.unit_taps = taps;
    } else {
        a.unit_panels = 1;
        a.unit_taps = panels >= kMaxPieces ? taps : a.segments;
    }
}

}  // namespace striate::convolution
