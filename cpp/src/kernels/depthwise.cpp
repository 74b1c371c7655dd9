// Depthwise convolution: forward and gradient to input, vectors over channels, at the speed of memory.
#include "kernels/depthwise.hpp"
#include "kernels/activate.hpp"
#include "kernels/args_conv.hpp"
#include "kernels/hide.hpp"

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
    const Bounds bounds(a.epilogue);
#pragma GCC unroll 8
    for (int i = 0; i < kPixels; ++i) lanes.store(y + i * a.y_col, bounds.of(acc[i]));
}

// The same for windows of kTaps adjacent columns, kStride columns apart: each column of the
// input is loaded once for all windows that have it. The order of each sum is that of sum_taps().
template <int kTaps, int kStride, int kPixels>
STRIATE_INLINE void pixels_rolling(const DepthwiseArgs& a, const float* x, const float* w, const float* bias,
                                   float* y) {
    // Ask for the memory of y, lest the stores wait for it to be read.
#pragma GCC unroll 8
    for (int i = 0; i < kPixels; ++i) __builtin_prefetch(y + i * a.y_col, 1);
    Vec acc[kPixels];
    const Vec first = bias ? load(bias) : Vec{};
#pragma GCC unroll 8
    for (int i = 0; i < kPixels; ++i) acc[i] = first;
    for (int64_t r = 0; r < a.tap_rows; ++r, x += a.tap_row, w += a.w_row) {
        Vec weights[kTaps];
#pragma GCC unroll 8
        for (int c = 0; c < kTaps; ++c) weights[c] = load(w + c * a.w_col);
        const float* p = x;
#pragma GCC unroll 32
        for (int column = 0; column < (kPixels - 1) * kStride + kTaps; ++column, p += a.tap_col) {
            Vec v = load(p);
            if (kTaps <= 5) hide_vector(v);  // with 7 taps, operands in memory are faster
#pragma GCC unroll 8
            for (int c = 0; c < kTaps; ++c) {
                const int i = (column - c) / kStride;
                if (column >= c && (column - c) % kStride == 0 && i < kPixels) acc[i] += weights[c] * v;
            }
        }
    }
    const Bounds bounds(a.epilogue);
#pragma GCC unroll 8
    for (int i = 0; i < kPixels; ++i) store(y + i * a.y_col, bounds.of(acc[i]));
}

constexpr int kMany = 8, kFew = 4, kMin = 3;

// kPixels of a line after the other, at least as many as that. Channels are the inner loop: then each load of the code
// above goes through memory in order, which is what caches foresee.
template <int kTaps, int kStride, int kPixels>
int64_t columns_rolling(const DepthwiseArgs& a, int64_t col, int64_t end, int64_t first, int64_t last, const float* x,
                        float* y) {
    for (; col + kPixels <= end; col += kPixels)
        for (int64_t i = first; i < last; i += kWidth)
            pixels_rolling<kTaps, kStride, kPixels>(a, x + col * a.x_col + i, a.weights + a.w_offset + i,
                                                    a.bias ? a.bias + i : nullptr, y + col * a.y_col + i);
    return col;
}

// A line of the channels from `first` to `last`, a multiple of vectors; at least kMin pixels.
template <int kTaps, int kStride>
void line_rolling(const DepthwiseArgs& a, int64_t first, int64_t last, const float* x, float* y) {
    int64_t col = columns_rolling<kTaps, kStride, kMany>(a, 0, a.cols, first, last, x, y);
    if (col == a.cols) return;
    // Of the rest, 4 and 7 are four and three, and 3 and 6 are threes; else some pixels are computed again.
    const int64_t rest = a.cols - col;
    if (rest == 5 && a.cols >= kMany) {
        columns_rolling<kTaps, kStride, kMany>(a, a.cols - kMany, a.cols, first, last, x, y);
        return;
    }
    if (rest % 3 != 0)
        col = columns_rolling<kTaps, kStride, kFew>(a, col, lesser(a.cols, col + kFew), first, last, x, y);
    col = columns_rolling<kTaps, kStride, kMin>(a, col, a.cols, first, last, x, y);
    if (col < a.cols) columns_rolling<kTaps, kStride, kMin>(a, a.cols - kMin, a.cols, first, last, x, y);
}

using Line = void (*)(const DepthwiseArgs&, int64_t, int64_t, const float*, float*);

// The function for the call's windows, or null.
Line rolling(const DepthwiseArgs& a) {
    const bool next = a.x_col == a.tap_col, second = a.x_col == 2 * a.tap_col;
    if (a.cols < kMin || !(next || second)) return nullptr;
    switch (a.tap_cols) {
        case 3:
            return next ? line_rolling<3, 1> : line_rolling<3, 2>;
        case 5:
            return next ? line_rolling<5, 1> : line_rolling<5, 2>;
        case 7:
            return next ? line_rolling<7, 1> : line_rolling<7, 2>;
        default:
            return nullptr;
    }
}

// One line of some channels, one output channel for each input channel.
void line_single(const DepthwiseArgs& a, Line line, int64_t first, int64_t last, const float* x, float* y) {
    if (line) {
        const int64_t whole = first + (last - first) / kWidth * kWidth;
        line(a, first, whole, x, y);
        first = whole;
    }
    each_vector(last - first, [&](int64_t k, auto lanes) {
        const int64_t i = first + k;
        const float* w = a.weights + a.w_offset + i;
        const float* bias = a.bias ? a.bias + i : nullptr;
        int64_t col = 0;
        const auto run = [&](auto count) {
            for (; col + count.value <= a.cols; col += count.value)
                pixels_once<count.value>(a, x + col * a.x_col + i, w, bias, y + col * a.y_col + i, lanes);
        };
        run(Count<8>{});
        run(Count<4>{});
        run(Count<1>{});
    });
}

// Lines that follow each other have rows of the input in common. They are computed for so many channels at a time that
// those stay in the first cache, and for whole cache lines.
constexpr int64_t kLines = 8, kNear = 24 << 10, kCacheLine = 16;

void lines_single(const DepthwiseArgs& a, int64_t begin, int64_t end) {
    const Line line = rolling(a);
    const int64_t row = a.cols + a.tap_cols, rows = greater(1, a.tap_rows);  // a pass to the input may have no taps
    const int64_t fit = kNear / static_cast<int64_t>(sizeof(float)) / (row * rows);
    const int64_t step = greater(4 * kCacheLine, fit / kCacheLine * kCacheLine);
    for (int64_t some = begin; some < end; some += kLines)
        for (int64_t first = 0; first < a.channels; first += step)
            for (int64_t u = some; u < lesser(end, some + kLines); ++u) {
                const int64_t last = lesser(first + step, a.channels);
                float* y = a.y + a.y_offset + u / a.rows * a.y_image + u % a.rows * a.y_row;
                line_single(a, line, first, last, a.x + a.x_offset + u / a.rows * a.x_image + u % a.rows * a.x_row, y);
                if (applied_apart(a.epilogue)) activate(a.epilogue, y + first, a.cols, a.y_col, last - first);
            }
}

// One line forward, several output channels for each: vectors of input channels, one of their outputs at a time.
void line_spread(const DepthwiseArgs& a, const float* x, float* y) {
    const int64_t m = a.multiplier;
    const Bounds bounds(a.epilogue);
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
                acc = bounds.of(acc);
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
    if (a.multiplier == 1) return lines_single(a, begin, end);
    for (int64_t line = begin; line < end; ++line) {
        const float* x = a.x + a.x_offset + line / a.rows * a.x_image + line % a.rows * a.x_row;
        float* y = a.y + a.y_offset + line / a.rows * a.y_image + line % a.rows * a.y_row;
        if (a.gather) {
            line_gather(a, x, y);
        } else {
            line_spread(a, x, y);
            if (applied_apart(a.epilogue)) activate(a.epilogue, y, a.cols, a.y_col, a.channels * a.multiplier);
        }
    }
}

}  // namespace striate::kernels::STRIATE_ISA
