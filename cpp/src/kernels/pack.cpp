// Weights into panels, as conv reads them.
#include "kernels/args_conv.hpp"
#include "kernels/simd.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

STRIATE_INLINE int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

// One tap of one panel: `depth` rows of `panel` floats, of which `channels` are real.
void copy_rows(const float* src, float* dst, const PackArgs& a, int64_t channels) {
    for (int64_t d = 0; d < a.depth; ++d) {
        const float* from = src + d * a.s_depth;
        float* to = dst + d * a.panel;
        int64_t j = 0;
        for (; j + kWidth <= channels; j += kWidth) store(to + j, load(from + j));
        for (; j < channels; ++j) to[j] = from[j];
        for (; j < a.panel; ++j) to[j] = 0;
    }
}

// A square of kWidth channels, contiguous in depth, turned.
STRIATE_INLINE void turn_square(const float* src, int64_t s_channel, float* dst, int64_t panel) {
    float square[kWidth][kWidth];
    for (int j = 0; j < kWidth; ++j) store(square[j], load(src + j * s_channel));
    for (int d = 0; d < kWidth; ++d)
        for (int j = 0; j < kWidth; ++j) dst[d * panel + j] = square[j][d];
}

void turn_rows(const float* src, float* dst, const PackArgs& a, int64_t channels) {
    for (int64_t j = 0; j < a.panel; j += kWidth) {
        int64_t d = 0;
        if (j + kWidth <= channels)
            for (; d + kWidth <= a.depth; d += kWidth)
                turn_square(src + j * a.s_channel + d, a.s_channel, dst + d * a.panel + j, a.panel);
        for (; d < a.depth; ++d)
            for (int64_t i = j; i < j + kWidth; ++i) dst[d * a.panel + i] = i < channels ? src[i * a.s_channel + d] : 0;
    }
}

void gather_rows(const float* src, float* dst, const PackArgs& a, int64_t channels) {
    for (int64_t d = 0; d < a.depth; ++d)
        for (int64_t j = 0; j < a.panel; ++j)
            dst[d * a.panel + j] = j < channels ? src[d * a.s_depth + j * a.s_channel] : 0;
}

}  // namespace

void pack_weights(const PackArgs& a, int64_t begin, int64_t end) {
    const int64_t panels = (a.channels + a.panel - 1) / a.panel, taps = a.rows * a.cols;
    for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t tap = unit % taps, panel = unit / taps % panels, group = unit / taps / panels;
        const int64_t first = panel * a.panel, channels = least(a.panel, a.channels - first);
        const float* src = a.src + a.src_offset + group * a.s_group + tap / a.cols * a.s_row + tap % a.cols * a.s_col +
                           first * a.s_channel;
        float* dst = a.dst + unit * a.depth * a.panel;
        if (a.s_channel == 1) {
            copy_rows(src, dst, a, channels);
        } else if (a.s_depth == 1) {
            turn_rows(src, dst, a, channels);
        } else {
            gather_rows(src, dst, a, channels);
        }
    }
}

}  // namespace striate::kernels::STRIATE_ISA
