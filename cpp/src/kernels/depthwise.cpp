// Depthwise convolution: forward and gradient to input, vectors over channels, at the speed of memory.
#include "kernels/depthwise.hpp"
#include "kernels/args_conv.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

// sum over taps of x * w for kPixels neighbouring pixels of one vector of channels.
template <int kPixels, class Lanes>
STRIATE_INLINE void sum_taps(const DepthwiseArgs& a, const float* x, const float* w, Lanes lanes, Vec (&acc)[kPixels]) {
    for (int64_t r = 0; r < a.tap_rows; ++r)
        for (int64_t c = 0; c < a.tap_cols; ++c) {
            const float* p = x + r * a.tap_row + c * a.tap_col;
            const Vec weight = lanes.load(w + r * a.w_row + c * a.w_col);
#pragma GCC unroll 8
            for (int i = 0; i < kPixels; ++i) acc[i] += weight * lanes.load(p + i * a.x_col);
        }
}

template <int kPixels, class Lanes>
STRIATE_INLINE void pixels_once(const DepthwiseArgs& a, const float* x, const float* w, const float* bias, float* y,
                                Lanes lanes) {
    Vec acc[kPixels];
    const Vec first = bias ? lanes.load(bias) : Vec{};
#pragma GCC unroll 8
    for (int i = 0; i < kPixels; ++i) acc[i] = first;
    sum_taps<kPixels>(a, x, w, lanes, acc);
#pragma GCC unroll 8
    for (int i = 0; i < kPixels; ++i) lanes.store(y + i * a.y_col, a.relu ? max(Vec{}, acc[i]) : acc[i]);
}

// One line, one output channel for each input channel.
void line_single(const DepthwiseArgs& a, const float* x, float* y) {
    each_vector(a.channels, [&](int64_t i, auto lanes) {
        const float* w = a.weights + a.w_offset + i;
        const float* bias = a.bias ? a.bias + i : nullptr;
        const float* from = x + i;
        float* to = y + i;
        int64_t col = 0;
        const auto run = [&](auto count) {
            for (; col + count.value <= a.cols; col += count.value)
                pixels_once<count.value>(a, from + col * a.x_col, w, bias, to + col * a.y_col, lanes);
        };
        run(Count<8>{});
        run(Count<4>{});
        run(Count<1>{});
    });
}

// One line forward, several output channels for each: vectors of input channels, one of their outputs at a time.
void line_spread(const DepthwiseArgs& a, const float* x, float* y) {
    const int64_t m = a.multiplier;
    each_vector(a.channels, [&](int64_t i, auto lanes) {
        for (int64_t j = 0; j < m; ++j) {
            const float* w = a.weights + a.w_offset + i * m + j;
            for (int64_t col = 0; col < a.cols; ++col) {
                Vec acc = {};
                if (a.bias) acc = load_spaced(a.bias + i * m + j, m, lanes.size());
                for (int64_t r = 0; r < a.tap_rows; ++r)
                    for (int64_t c = 0; c < a.tap_cols; ++c)
                        acc += load_spaced(w + r * a.w_row + c * a.w_col, m, lanes.size()) *
                               lanes.load(x + col * a.x_col + r * a.tap_row + c * a.tap_col + i);
                if (a.relu) acc = max(Vec{}, acc);
                float* to = y + col * a.y_col + i * m + j;
                float parts[kWidth];
                store(parts, acc);
                for (int64_t k = 0; k < lanes.size(); ++k) to[k * m] = parts[k];
            }
        }
    });
}

// One line of the gradient to input: products side by side, then each input channel's own added up.
void line_gather(const DepthwiseArgs& a, const float* x, float* y) {
    const int64_t m = a.multiplier;
    for (int64_t col = 0; col < a.cols; ++col) {
        float* to = y + col * a.y_col;
        for (int64_t c = 0; c < a.channels; ++c) to[c] = 0;
        each_vector(a.channels * m, [&](int64_t i, auto lanes) {
            Vec acc[1] = {};
            sum_taps<1>(a, x + col * a.x_col + i, a.weights + a.w_offset + i, lanes, acc);
            float parts[kWidth];
            store(parts, acc[0]);
            for (int64_t k = 0; k < lanes.size(); ++k) to[(i + k) / m] += parts[k];
        });
    }
}

}  // namespace

void depthwise(const DepthwiseArgs& a, int64_t begin, int64_t end) {
    for (int64_t line = begin; line < end; ++line) {
        const float* x = a.x + a.x_offset + line / a.rows * a.x_image + line % a.rows * a.x_row;
        float* y = a.y + a.y_offset + line / a.rows * a.y_image + line % a.rows * a.y_row;
        if (a.multiplier == 1) {
            line_single(a, x, y);
        } else if (a.gather) {
            line_gather(a, x, y);
        } else {
            line_spread(a, x, y);
        }
    }
}

}  // namespace striate::kernels::STRIATE_ISA
