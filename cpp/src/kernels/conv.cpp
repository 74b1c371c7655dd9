// Convolution forward, and everything that is one: gradients to inputs, transposed convolution, dense layers.
#include "kernels/activate.hpp"
#include "kernels/args_conv.hpp"
#include "kernels/gemm_strips.hpp"
#include "kernels/lanes.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

// One block of the reduction.
struct Block {
    int64_t row, depth_begin;
    bool first, last;
};

// A tile by way of a copy: its last columns are not to be stored, or channels are not side by side in y.
void run_copied(TileFunction function, TileCall t, const Epilogue* epilogue, int64_t segments, int64_t length,
                int64_t channels, int64_t width, int64_t y_channel) {
    float copy[32 * kWidth];  // as many floats as accumulators
    float* target[kMaxSegments];
    const int64_t step = t.c_step;
    for (int64_t s = 0; s < segments; ++s) {
        target[s] = t.c[s];
        t.c[s] = copy + s * length * width;
        for (int64_t r = 0; t.load && r < length; ++r)
            for (int64_t j = 0; j < width; ++j)
                t.c[s][r * width + j] = j < channels ? target[s][r * step + j * y_channel] : 0;
    }
    t.c_step = width;
    function(t);
    if (epilogue) activate(*epilogue, copy, 1, 0, segments * length * width);
    for (int64_t s = 0; s < segments; ++s) {
        if (y_channel == 1) {
            for (int64_t r = 0; r < length; ++r)
                for (int64_t j = 0; j < channels; j += kWidth)
                    store_first(target[s] + r * step + j, load(t.c[s] + r * width + j), least(kWidth, channels - j));
        } else {
            for (int64_t j = 0; j < channels; ++j)
                for (int64_t r = 0; r < length; ++r) target[s][r * step + j * y_channel] = t.c[s][r * width + j];
        }
    }
}

// It is worth to ask for the outputs' memory where so many terms are summed and rows are less than a page apart.
constexpr int64_t kLongSum = 8, kPage = 1024;

void run_tiles(const ConvArgs& a, const Strips& strips, int64_t group, int64_t panel, const Block& block,
               int64_t tile_begin, int64_t tile_end) {
    const int64_t first_channel = panel * a.panel;
    TileCall t;
    t.c_step = a.y_col;
    t.a_step = a.x_col;
    t.outer = least(a.block_rows, a.tap_rows - block.row);
    t.inner = a.tap_cols;
    t.depth = least(a.block_depth, a.depth - block.depth_begin);
    t.a_outer = a.tap_row;
    t.a_inner = a.tap_col;
    t.b_step = a.w_step;
    t.b_inner = a.depth * a.w_step;
    t.b_outer = a.tap_cols * t.b_inner;
    t.b = a.weights + group * a.w_group + panel * a.w_panel + block.row * t.b_outer + block.depth_begin * a.w_step;
    const int64_t channels = least(a.panel, a.channels - first_channel);
    t.bias = a.bias && block.first ? a.bias + group * a.channels + first_channel : nullptr;
    t.load = a.accumulate || !block.first;
    const Bounds bounds(a.epilogue);
    t.clamps = block.last && bounds.clamp();
    t.floor = bounds.floor, t.ceiling = bounds.ceiling;
    // The tile is in the nearest cache still.
    const Epilogue* epilogue = block.last && applied_apart(a.epilogue) ? &a.epilogue : nullptr;
    const int64_t vectors = divide_up(channels, kWidth);
    const bool whole = channels == vectors * kWidth && a.y_channel == 1;
    t.ask = whole && t.outer * t.inner * t.depth >= kLongSum && t.c_step < kPage;
    float bias[4 * kWidth] = {};
    if (channels < vectors * kWidth && t.bias) {
        for (int64_t j = 0; j < channels; ++j) bias[j] = t.bias[j];
        t.bias = bias;
    }

    const float* x = a.x + a.x_offset + group * a.x_group + block.row * a.tap_row + block.depth_begin;
    float* y = a.y + a.y_offset + group * a.y_group + first_channel * a.y_channel;
    const int64_t lines = a.images * a.rows;
    Place place = strips.at(tile_begin);
    int64_t image = place.line / a.rows, row = place.line % a.rows;
    for (int64_t tile = tile_begin; tile < tile_end; ++tile) {
        const int64_t segments = least(a.segments, lines - place.line);
        int64_t next_image = image, next_row = row;
        for (int64_t s = 0; s < segments; ++s) {
            t.a[s] = x + next_image * a.x_image + next_row * a.x_row + place.start * a.x_col;
            t.c[s] = y + next_image * a.y_image + next_row * a.y_row + place.start * a.y_col;
            if (++next_row == a.rows) {
                next_row = 0;
                ++next_image;
            }
        }
        const TileFunction function = forward_tiles.of[vectors][segments][place.length];
        if (whole) {
            function(t);
            for (int64_t s = 0; epilogue && s < segments; ++s)
                activate(*epilogue, t.c[s], place.length, t.c_step, channels);
        } else {
            run_copied(function, t, epilogue, segments, place.length, channels, vectors * kWidth, a.y_channel);
        }
        const int64_t line = place.line;
        place = strips.after(place);
        if (place.line != line) {
            image = next_image;
            row = next_row;
        }
    }
}

}  // namespace

void conv(const ConvArgs& a, int64_t begin, int64_t end) {
    const Strips strips(a.cols, a.strip, a.segments);
    const int64_t tiles = divide_up(a.images * a.rows, a.segments) * strips.per_line();
    const int64_t panels = divide_up(a.channels, a.panel);
    const int64_t tile_blocks = divide_up(tiles, a.unit_tiles), panel_blocks = divide_up(panels, a.unit_panels);
    for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t group = unit / (tile_blocks * panel_blocks), rest = unit % (tile_blocks * panel_blocks);
        const int64_t tile_block = a.panels_outer ? rest % tile_blocks : rest / panel_blocks;
        const int64_t panel_block = a.panels_outer ? rest / tile_blocks : rest % panel_blocks;
        const int64_t tile_begin = tile_block * a.unit_tiles, tile_end = least(tile_begin + a.unit_tiles, tiles);
        const int64_t panel_end = least((panel_block + 1) * a.unit_panels, panels);
        for (int64_t panel = panel_block * a.unit_panels; panel < panel_end; ++panel) {
            if (a.tap_rows == 0) run_tiles(a, strips, group, panel, {0, 0, true, true}, tile_begin, tile_end);
            for (int64_t row = 0; row < a.tap_rows; row += a.block_rows) {
                for (int64_t depth = 0; depth < a.depth; depth += a.block_depth) {
                    const bool last = row + a.block_rows >= a.tap_rows && depth + a.block_depth >= a.depth;
                    run_tiles(a, strips, group, panel, {row, depth, row == 0 && depth == 0, last}, tile_begin,
                              tile_end);
                }
            }
        }
    }
}

}  // namespace striate::kernels::STRIATE_ISA
