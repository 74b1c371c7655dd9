// The gradient of a convolution or dense layer with respect to its weights.
#include "kernels/args_conv.hpp"
#include "kernels/gemm_strips.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

// A box of output pixels.
struct Chunk {
    int64_t image, row, col;
    int64_t images, rows, cols;
};

STRIATE_INLINE Chunk chunk_at(const ConvWeightArgs& a, int64_t index) {
    const int64_t down = divide_up(a.rows, a.chunk_rows), across = divide_up(a.cols, a.chunk_cols);
    Chunk c;
    c.image = index / (down * across) * a.chunk_images;
    c.row = index / across % down * a.chunk_rows;
    c.col = index % across * a.chunk_cols;
    c.images = least(a.chunk_images, a.images - c.image);
    c.rows = least(a.chunk_rows, a.rows - c.row);
    c.cols = least(a.chunk_cols, a.cols - c.col);
    return c;
}

// The chunk's gradients for one panel of channels, pixel after pixel, zero behind the last channel.
void pack_chunk(const ConvWeightArgs& a, const Chunk& c, const float* dy, int64_t channels, int64_t width, float* to) {
    const int64_t whole = channels / kWidth * kWidth;
    for (int64_t n = 0; n < c.images; ++n)
        for (int64_t row = 0; row < c.rows; ++row) {
            const float* from = dy + n * a.y_image + row * a.y_row;
            for (int64_t col = 0; col < c.cols; ++col, from += a.y_col, to += width) {
                for (int64_t j = 0; j < whole; j += kWidth) store(to + j, load(from + j));
                for (int64_t j = whole; j < width; ++j) to[j] = j < channels ? from[j] : 0;
            }
        }
}

// Adds one chunk's part to a panel of `slot` (or starts it) for the taps [tap_begin, tap_end).
void run_chunk(const ConvWeightArgs& a, const Chunk& chunk, int64_t group, int64_t panel, int64_t tap_begin,
               int64_t tap_end, bool first, float* slot) {
    const int64_t channel = panel * a.panel, channels = least(a.panel, a.channels - channel);
    const int64_t vectors = divide_up(channels, kWidth), width = vectors * kWidth;
    const float* dy =
        a.dy + group * a.y_group + channel + chunk.image * a.y_image + chunk.row * a.y_row + chunk.col * a.y_col;
    TileCall t;
    if (a.pack) {
        pack_chunk(a, chunk, dy, channels, width, a.scratch);
        t.b = a.scratch;
        t.b_step = width;
        t.b_inner = chunk.cols * width;
        t.b_outer = chunk.rows * t.b_inner;
    } else {
        t.b = dy;
        t.b_step = a.y_col;
        t.b_inner = a.y_row;
        t.b_outer = a.y_image;
    }
    t.outer = chunk.images;
    t.inner = chunk.rows;
    t.depth = chunk.cols;
    t.a_outer = a.x_image;
    t.a_inner = a.x_row;
    t.a_step = a.x_col;
    t.c_step = a.w_step;
    t.bias = nullptr;
    t.load = !first;
    t.ask = false;
    t.clamps = false;

    const Strips strips(a.depth, a.strip, a.segments);
    const float* x =
        a.x + a.x_offset + group * a.x_group + chunk.image * a.x_image + chunk.row * a.x_row + chunk.col * a.x_col;
    const int64_t tiles = divide_up(tap_end - tap_begin, a.segments) * strips.per_line();
    Place place = strips.at(0);
    for (int64_t tile = 0; tile < tiles; ++tile, place = strips.after(place)) {
        const int64_t tap = tap_begin + place.line, segments = least(a.segments, tap_end - tap);
        for (int64_t s = 0; s < segments; ++s) {
            t.a[s] = x + (tap + s) / a.tap_cols * a.tap_row + (tap + s) % a.tap_cols * a.tap_col + place.start;
            t.c[s] = slot + ((tap + s) * a.depth + place.start) * a.w_step + channel;
        }
        transposed_tiles.of[vectors][segments][place.length](t);
    }
}

}  // namespace

void conv_weights(const ConvWeightArgs& a, int64_t begin, int64_t end) {
    const int64_t taps = a.tap_rows * a.tap_cols, panels = divide_up(a.channels, a.panel);
    const int64_t tap_blocks = divide_up(taps, a.unit_taps), panel_blocks = divide_up(panels, a.unit_panels);
    const int64_t chunks =
        divide_up(a.images, a.chunk_images) * divide_up(a.rows, a.chunk_rows) * divide_up(a.cols, a.chunk_cols);
    for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t tap_block = unit % tap_blocks, panel_block = unit / tap_blocks % panel_blocks;
        const int64_t group = unit / tap_blocks / panel_blocks % a.groups,
                      piece = unit / tap_blocks / panel_blocks / a.groups;
        const int64_t tap_begin = tap_block * a.unit_taps, tap_end = least(tap_begin + a.unit_taps, taps);
        const int64_t panel_begin = panel_block * a.unit_panels, panel_end = least(panel_begin + a.unit_panels, panels);
        float* slot = a.slots + (piece * a.groups + group) * taps * a.depth * a.w_step;
        const int64_t chunk_begin = piece_begin(chunks, a.pieces, piece),
                      chunk_end = piece_begin(chunks, a.pieces, piece + 1);
        for (int64_t index = chunk_begin; index < chunk_end; ++index) {
            const Chunk chunk = chunk_at(a, index);
            for (int64_t panel = panel_begin; panel < panel_end; ++panel)
                run_chunk(a, chunk, group, panel, tap_begin, tap_end, index == chunk_begin, slot);
        }
    }
}

void sum_slots(const SlotSumArgs& a, int64_t begin, int64_t end) {
    const int64_t blocks = divide_up(a.rows, kSlotRows);
    const int64_t group_size = a.rows * a.step, slot_size = a.groups * group_size;
    const int64_t whole = a.channels / kWidth * kWidth;
    for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t group = unit / blocks, first = unit % blocks * kSlotRows, last = least(first + kSlotRows, a.rows);
        for (int64_t row = first; row < last; ++row) {
            const float* from = a.slots + group * group_size + row * a.step;
            float* to = a.out + row * a.out_step + group * a.channels;
            for (int64_t j = 0; j < whole; j += kWidth) {
                Vec total = load(from + j);
                for (int64_t piece = 1; piece < a.pieces; ++piece) total += load(from + piece * slot_size + j);
                store(to + j, total);
            }
            for (int64_t j = whole; j < a.channels; ++j) {
                float total = from[j];
                for (int64_t piece = 1; piece < a.pieces; ++piece) total += from[piece * slot_size + j];
                to[j] = total;
            }
        }
    }
}

}  // namespace striate::kernels::STRIATE_ISA
