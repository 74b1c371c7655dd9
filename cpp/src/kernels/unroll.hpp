// Loops that are unrolled, whose counter is a constant. Included by kernel sources only.
#pragma once

#include "kernels/simd.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

template <int N>
struct Int {
    static constexpr int value = N;
};

template <int Begin, int End, class Body>
STRIATE_INLINE void unroll(const Body& body) {
    if constexpr (Begin < End) {
        body(Int<Begin>{});
        unroll<Begin + 1, End>(body);
    }
}

#define STRIATE_BODY __attribute__((always_inline))

}  // namespace
}  // namespace striate::kernels::STRIATE_ISA
