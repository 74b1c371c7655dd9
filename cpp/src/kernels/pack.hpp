// One tap of one panel of packed weights. Included by kernel sources only.
#pragma once

#include "kernels/args_conv.hpp"
#include "kernels/simd.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

// `depth` rows of `panel` floats, of which `channels` are real.
STRIATE_INLINE void copy_rows(const float* src, float* dst, const PackArgs& a, int64_t channels) {
    for (int64_t d = 0; d < a.depth; ++d) {
        const float* from = src + d * a.s_depth;
        float* to = dst + d * a.panel;
        int64_t j = 0;
        for (; j + kWidth <= channels; j += kWidth) store(to + j, load(from + j));
        for (; j < channels; ++j) to[j] = from[j];
        for (; j < a.panel; ++j) to[j] = 0;
    }
}

template <int... kLanes>
struct Lanes {};
template <int kCount, int... kLanes>
struct LanesBelow : LanesBelow<kCount - 1, kCount - 1, kLanes...> {};
template <int... kLanes>
struct LanesBelow<0, kLanes...> {
    using type = Lanes<kLanes...>;
};

// Of the 2x2 blocks of kStep lanes in two rows that are kStep apart, the two off the diagonal change places.
template <int kStep, int... kLanes>
STRIATE_INLINE void exchange(Vec& a, Vec& b, Lanes<kLanes...>) {
#if defined(__clang__)
    const Vec upper = __builtin_shufflevector(a, b, (kLanes & kStep ? kWidth + kLanes - kStep : kLanes)...);
    b = __builtin_shufflevector(a, b, (kLanes & kStep ? kWidth + kLanes : kLanes + kStep)...);
#else
    const Vec upper = __builtin_shuffle(a, b, VecI{(kLanes & kStep ? kWidth + kLanes - kStep : kLanes)...});
    b = __builtin_shuffle(a, b, VecI{(kLanes & kStep ? kWidth + kLanes : kLanes + kStep)...});
#endif
    a = upper;
}
template <int kStep>
STRIATE_INLINE void exchange_all(Vec (&rows)[kWidth]) {
    if constexpr (kStep > 0) {
        for (int i = 0; i < kWidth; ++i)
            if ((i & kStep) == 0) exchange<kStep>(rows[i], rows[i + kStep], typename LanesBelow<kWidth>::type{});
        exchange_all<kStep / 2>(rows);
    }
}

// A square of kWidth channels, contiguous in depth, turned.
STRIATE_INLINE void turn_square(const float* src, int64_t s_channel, float* dst, int64_t panel) {
    Vec rows[kWidth];
    for (int j = 0; j < kWidth; ++j) rows[j] = load(src + j * s_channel);
    exchange_all<kWidth / 2>(rows);
    for (int d = 0; d < kWidth; ++d) store(dst + d * panel, rows[d]);
}

STRIATE_INLINE void turn_rows(const float* src, float* dst, const PackArgs& a, int64_t channels) {
    for (int64_t j = 0; j < a.panel; j += kWidth) {
        int64_t d = 0;
        if (j + kWidth <= channels)
            for (; d + kWidth <= a.depth; d += kWidth)
                turn_square(src + j * a.s_channel + d, a.s_channel, dst + d * a.panel + j, a.panel);
        for (; d < a.depth; ++d)
            for (int64_t i = j; i < j + kWidth; ++i) dst[d * a.panel + i] = i < channels ? src[i * a.s_channel + d] : 0;
    }
}

STRIATE_INLINE void gather_rows(const float* src, float* dst, const PackArgs& a, int64_t channels) {
    for (int64_t d = 0; d < a.depth; ++d)
        for (int64_t j = 0; j < a.panel; ++j)
            dst[d * a.panel + j] = j < channels ? src[d * a.s_depth + j * a.s_channel] : 0;
}

// `src` is where the group begins.
STRIATE_INLINE void pack_tap(const PackArgs& a, const float* src, int64_t panel, int64_t tap, float* dst) {
    const int64_t first = panel * a.panel, left = a.channels - first, channels = left < a.panel ? left : a.panel;
    src += tap / a.cols * a.s_row + tap % a.cols * a.s_col + first * a.s_channel;
    if (a.s_channel == 1) {
        copy_rows(src, dst, a, channels);
    } else if (a.s_depth == 1) {
        turn_rows(src, dst, a, channels);
    } else {
        gather_rows(src, dst, a, channels);
    }
}

}  // namespace
}  // namespace striate::kernels::STRIATE_ISA
