// One axis of a convolution, walked in either direction. Internal to convolution*.cpp.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

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

// The inverse of `value` modulo `modulus`, which have no common divisor.
inline int64_t inverse_modulo(int64_t value, int64_t modulus) {
    int64_t rest = modulus, next = value % modulus, factor = 0, next_factor = 1;
    while (next != 0) {
        const int64_t quotient = rest / next;
        rest = std::exchange(next, rest - quotient * next);
        factor = std::exchange(next_factor, factor - quotient * next_factor);
    }
    return (factor % modulus + modulus) % modulus;
}

inline Phase phase_of(const Axis& a, int64_t phase) {
    const int64_t common = std::gcd(a.dilation, a.stride);
    Phase f{};
    f.first = ((phase - a.pad) % a.stride + a.stride) % a.stride;
    f.count = f.first < a.in ? kernels::divide_up(a.in - f.first, a.stride) : 0;
    f.kernel_step = a.stride / common;
    f.step = a.dilation / common;
    if (phase % common != 0) return f;
    // The first tap whose place has this phase.
    const int64_t smallest =
        phase / common % f.kernel_step * inverse_modulo(f.step % f.kernel_step, f.kernel_step) % f.kernel_step;
    if (smallest >= a.kernel) return f;
    f.taps = (a.kernel - 1 - smallest) / f.kernel_step + 1;
    f.kernel_first = smallest + (f.taps - 1) * f.kernel_step;
    f.start = (f.first + a.pad - smallest * a.dilation) / a.stride - (f.taps - 1) * f.step;  // the division is exact
    return f;
}

// The number of phases that have positions, and a bound of those that the kernel reaches too. The stride may be larger
// than both.
inline int64_t position_phases(const Axis& a) {
    return std::min(a.stride, a.in);
}
inline int64_t tap_phases(const Axis& a) {
    return std::min({a.kernel, a.stride / std::gcd(a.dilation, a.stride), position_phases(a)});
}
inline std::vector<Phase> phases_with_positions(const Axis& a) {
    std::vector<Phase> phases;
    for (int64_t first = 0; first < position_phases(a); ++first)
        phases.push_back(phase_of(a, (first + a.pad) % a.stride));
    return phases;
}
inline std::vector<Phase> phases_with_taps(const Axis& a) {
    std::vector<Phase> phases;
    const auto add = [&](int64_t phase) {
        if (const Phase f = phase_of(a, phase); f.count > 0 && f.taps > 0) phases.push_back(f);
    };
    if (tap_phases(a) < position_phases(a)) {
        for (int64_t tap = 0; tap < tap_phases(a); ++tap) add(tap * a.dilation % a.stride);
    } else {
        for (int64_t first = 0; first < position_phases(a); ++first) add((first + a.pad) % a.stride);
    }
    return phases;
}

// Zeros before and behind a map of `size` that reads from `first` to `last` need.
inline void reach(int64_t& before, int64_t& behind, int64_t first, int64_t last, int64_t size) {
    before = std::max(before, -first);
    behind = std::max(behind, last - (size - 1));
}

}  // namespace striate::convolution
