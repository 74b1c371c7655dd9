// An index of overlap from its three sums, and its derivative by a prediction.
#pragma once

#include "kernels/args_loss.hpp"

namespace striate::kernels {

// The derivative by a prediction is slope * (target - centre).
struct OverlapValue {
    double index, slope, centre;
};

// Internal linkage: each translation unit is compiled for its own instruction set.
static inline OverlapValue overlap_index(const OverlapIndex& kind, double both, double target, double prediction) {
    constexpr double kEpsilon = 1e-7;
    const double smooth = kind.smooth >= 0 ? kind.smooth : target == 0 ? 1.0 : 0.0;
    if (kind.tversky) {
        const double common = 1 - kind.alpha - kind.beta;
        const double rest = kind.alpha * target + kind.beta * prediction + kEpsilon + smooth;
        const double divisor = both * common + rest, above = both + smooth;
        const double change = rest - smooth * common;
        return {above / divisor, change / (divisor * divisor), above * kind.beta / change};
    }
    const double divisor = target + prediction + kEpsilon + smooth, above = 2 * both + smooth;
    return {above / divisor, 2 / divisor, above / (2 * divisor)};
}

}  // namespace striate::kernels
