// What stops the compiler from computing a value again. For kernel sources only.
#pragma once

#include "kernels/simd.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

// An empty asm statement after which the compiler no longer knows how a value was computed. It costs no instruction.
// Without it, the compiler keeps sums of addresses and products in registers and spills accumulators, or reads a vector
// from memory again for each use.
template <class T>
STRIATE_INLINE void hide_pointer(T& value) {
    asm("" : "+r"(value));
}
STRIATE_INLINE void hide_vector([[maybe_unused]] Vec& value) {
#if defined(__x86_64__)
    asm("" : "+v"(value));
#elif defined(__aarch64__)
    asm("" : "+w"(value));
#endif
}

}  // namespace
}  // namespace striate::kernels::STRIATE_ISA
