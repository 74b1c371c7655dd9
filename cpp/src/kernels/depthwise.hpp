// What the depthwise kernels share. Included by kernel sources only.
#pragma once

#include "kernels/lanes.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

template <int N>
struct Count {
    static constexpr int value = N;
};

// Every `step`th float; zeros behind the first `count`.
STRIATE_INLINE Vec load_spaced(const float* p, int64_t step, int64_t count) {
    float parts[kWidth] = {};
    for (int64_t i = 0; i < count; ++i) parts[i] = p[i * step];
    return load(parts);
}

}  // namespace
}  // namespace striate::kernels::STRIATE_ISA
