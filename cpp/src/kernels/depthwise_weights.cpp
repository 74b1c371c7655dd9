// Depthwise convolution: gradient to weights.
#include "kernels/args_conv.hpp"
#include "kernels/depthwise.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

constexpr int kTapsAtOnce = 9;

// Adds a line's products for kTaps taps of one vector of channels to `slot`, `step` floats apart.
template <int kTaps, class LoadX, class LoadDy>
STRIATE_INLINE void add_line(const DepthwiseWeightArgs& a, const float* x, const float* dy, const int64_t* offsets,
                             LoadX load_x, LoadDy load_dy, Vec (&acc)[kTaps]) {
    for (int64_t col = 0; col < a.cols; ++col) {
        const Vec g = load_dy(dy + col * a.y_col);
        const float* p = x + col * a.x_col;
#pragma GCC unroll 9
        for (int t = 0; t < kTaps; ++t) acc[t] += g * load_x(p + offsets[t]);
    }
}

// Adds lanes to every `step`th float of each tap's part of a slot, or begins them.
__attribute__((noinline)) void add_spaced(const float (*parts)[kWidth], int64_t taps, int64_t count, float* to,
                                          int64_t width, int64_t step, bool first) {
    for (int64_t t = 0; t < taps; ++t, to += width)
        for (int64_t k = 0; k < count; ++k) to[k * step] = first ? parts[t][k] : to[k * step] + parts[t][k];
}

template <int kTaps>
void line_taps(const DepthwiseWeightArgs& a, const float* x, const float* dy, const int64_t* offsets, bool first,
               float* slot) {
    const int64_t m = a.multiplier, width = a.channels * m;
    each_vector(a.channels, [&](int64_t i, auto lanes) {
        const auto load_x = [&](const float* p) __attribute__((always_inline)) {
            return lanes.load(p);
        };
        for (int64_t j = 0; j < m; ++j) {
            Vec acc[kTaps] = {};
            if (m == 1) {
                add_line<kTaps>(a, x + i, dy + i, offsets, load_x, load_x, acc);
            } else {
                add_line<kTaps>(
                    a, x + i, dy + i * m + j, offsets, load_x,
                    [&](const float* p) __attribute__((always_inline)) { return load_spaced(p, m, lanes.size()); },
                    acc);
            }
            if (m == 1) {
#pragma GCC unroll 9
                for (int t = 0; t < kTaps; ++t) {
                    float* to = slot + t * width + i;
                    lanes.store(to, first ? acc[t] : acc[t] + lanes.load(to));
                }
            } else {
                float parts[kTaps][kWidth];
#pragma GCC unroll 9
                for (int t = 0; t < kTaps; ++t) store(parts[t], acc[t]);
                add_spaced(parts, kTaps, lanes.size(), slot + i * m + j, width, m, first);
            }
        }
    });
}

}  // namespace

void depthwise_weights(const DepthwiseWeightArgs& a, int64_t begin, int64_t end) {
    using Line = void (*)(const DepthwiseWeightArgs&, const float*, const float*, const int64_t*, bool, float*);
    static constexpr Line by_taps[kTapsAtOnce + 1] = {nullptr,      line_taps<1>, line_taps<2>, line_taps<3>,
                                                      line_taps<4>, line_taps<5>, line_taps<6>, line_taps<7>,
                                                      line_taps<8>, line_taps<9>};
    const int64_t taps = a.tap_rows * a.tap_cols, width = a.channels * a.multiplier, lines = a.images * a.rows;
    for (int64_t piece = begin; piece < end; ++piece) {
        const int64_t line_begin = piece_begin(lines, a.pieces, piece),
                      line_end = piece_begin(lines, a.pieces, piece + 1);
        for (int64_t line = line_begin; line < line_end; ++line) {
            const float* x = a.x + a.x_offset + line / a.rows * a.x_image + line % a.rows * a.x_row;
            const float* dy = a.dy + line / a.rows * a.y_image + line % a.rows * a.y_row;
            for (int64_t tap = 0; tap < taps; tap += kTapsAtOnce) {
                const int64_t count = lesser(kTapsAtOnce, taps - tap);
                int64_t offsets[kTapsAtOnce];
                for (int64_t t = 0; t < count; ++t)
                    offsets[t] = (tap + t) / a.tap_cols * a.tap_row + (tap + t) % a.tap_cols * a.tap_col;
                by_taps[count](a, x, dy, offsets, line == line_begin, a.slots + (piece * taps + tap) * width);
            }
        }
    }
}

}  // namespace striate::kernels::STRIATE_ISA
