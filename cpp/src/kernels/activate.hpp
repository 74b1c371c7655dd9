// Activations of rows that a kernel has just written and that are in the nearest cache still. Included by kernel
// sources only.
#pragma once

#include "kernels/args_elementwise.hpp"
#include "kernels/simd.hpp"

namespace striate::kernels::STRIATE_ISA {

// y[row * step + j] = f(y[row * step + j]) for j < count. In activation.cpp, for the kinds of
// fits_epilogue() but relu and relu6.
void activate(const Epilogue& epilogue, float* y, int64_t rows, int64_t step, int64_t count);

namespace {

// What relu and relu6 do, in registers, before sums are written. For other kinds the bounds are infinite.
struct Bounds {
    explicit Bounds(const Epilogue& epilogue) {
        if (epilogue.kind == ActivationKind::relu) floor = 0;
        if (epilogue.kind == ActivationKind::relu6) floor = 0, ceiling = 6;
    }
    bool clamp() const { return floor == 0; }
    STRIATE_INLINE Vec of(Vec sum) const { return min(broadcast(ceiling), max(broadcast(floor), sum)); }
    float floor = -__builtin_inff(), ceiling = __builtin_inff();
};

// Other functions are applied to what was written. linear, relu and relu6 are the first kinds.
STRIATE_INLINE bool applied_apart(const Epilogue& epilogue) {
    return epilogue.kind > ActivationKind::relu6;
}

}  // namespace
}  // namespace striate::kernels::STRIATE_ISA
