// The activations of normalisations by their definition, in double precision.
#pragma once

#include <algorithm>
#include <cmath>

#include "kernels/args.hpp"

namespace check {

using striate::kernels::ActivationKind;

// Of the kernels that are tried: devices have relu alone.
#ifdef STRIATE_TEST_DEVICE_KERNELS
constexpr ActivationKind kOfNormalizations[] = {ActivationKind::linear, ActivationKind::relu};
#else
constexpr ActivationKind kOfNormalizations[] = {ActivationKind::linear, ActivationKind::relu, ActivationKind::relu6,
                                                ActivationKind::silu, ActivationKind::hard_swish};
#endif

inline double activated(ActivationKind kind, double x) {
    switch (kind) {
        case ActivationKind::relu:
            return std::max(0.0, x);
        case ActivationKind::relu6:
            return std::min(6.0, std::max(0.0, x));
        case ActivationKind::silu:
            return x / (1 + std::exp(-x));
        case ActivationKind::hard_swish:
            return x * std::min(6.0, std::max(0.0, x + 3)) / 6;
        default:
            return x;
    }
}

inline double derivative(ActivationKind kind, double x) {
    const double s = 1 / (1 + std::exp(-x));
    switch (kind) {
        case ActivationKind::relu:
            return x <= 0 ? 0 : 1;
        case ActivationKind::relu6:
            return x <= 0 || x >= 6 ? 0 : 1;
        case ActivationKind::silu:
            return s * (1 + x * (1 - s));
        case ActivationKind::hard_swish:
            return x <= -3 ? 0 : x >= 3 ? 1 : x / 3 + 0.5;
        default:
            return 1;
    }
}

}  // namespace check
