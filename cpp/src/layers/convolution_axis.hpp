// One axis of a convolution, walked in either direction. Internal to convolution*.cpp.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>

#include "kernels/layout.hpp"

namespace striate::convolution {

struct Axis {
    int64_t in, out, kernel, stride, dilation, pad;
};

// One phase of the gradient with respect to the input: the input positions first, first + stride, ... (`count` of them)
// and the kernel's taps that reach them. Tap r of `taps` reads output position index + start + r * step and the
// kernel's row kernel_first - r * kernel_step.
struct Phase {
    int64_t first, count;
    int64_t taps, start, step;
    int64_t kernel_first, kernel_step;
};

inline Phase phase_of(const Axis& a, int64_t phase) {
    const int64_t common = std::gcd(a.dilation, a.stride);
    Phase f{};
    f.first = ((phase - a.pad) % a.stride + a.stride) % a.stride;
    f.count = f.first < a.in ? kernels::divide_up(a.in - f.first, a.stride) : 0;
    f.kernel_step = a.stride / common;
    f.step = a.dilation / common;
    int64_t smallest = 0;
    while (smallest < f.kernel_step && (smallest * a.dilation - phase) % a.stride != 0) ++smallest;
    if (smallest == f.kernel_step || smallest >= a.kernel) return f;
    f.taps = (a.kernel - 1 - smallest) / f.kernel_step + 1;
    f.kernel_first = smallest + (f.taps - 1) * f.kernel_step;
    f.start = (f.first + a.pad - smallest * a.dilation) / a.stride - (f.taps - 1) * f.step;  // the division is exact
    return f;
}

// Zeros before and behind a map of `size` that reads from `first` to `last` need.
inline void reach(int64_t& before, int64_t& behind, int64_t first, int64_t last, int64_t size) {
    before = std::max(before, -first);
    behind = std::max(behind, last - (size - 1));
}

}  // namespace striate::convolution
