// Activations and their derivatives on vectors. Included by kernel sources only.
#pragma once

#include "kernels/args_elementwise.hpp"
#include "kernels/simd_math.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

constexpr float kInvSqrt2 = 0.707106781f, kInvSqrt2Pi = 0.398942280f, kSqrt2OverPi = 0.797884561f, kCubic = 0.044715f,
                kTwoOverSqrtPi = 1.12837917f;

STRIATE_INLINE Vec clamp(Vec v, float low, float high) {
    return min(broadcast(high), max(broadcast(low), v));
}
STRIATE_INLINE Vec relu6(Vec x) {
    return clamp(x, 0.0f, 6.0f);
}
STRIATE_INLINE Vec hard_sigmoid(Vec x) {
    return clamp(x + 3.0f, 0.0f, 6.0f) * (1.0f / 6.0f);
}
STRIATE_INLINE Vec hard_swish(Vec x) {
    return x * hard_sigmoid(x);
}
STRIATE_INLINE Vec leaky_relu(Vec x, float slope) {
    return select(x < 0.0f, x * slope, x);
}
STRIATE_INLINE Vec gelu(Vec x) {
    return 0.5f * x * (1.0f + erf(x * kInvSqrt2));
}
STRIATE_INLINE Vec gelu_tanh(Vec x) {
    return 0.5f * x * (1.0f + tanh(kSqrt2OverPi * (x + kCubic * x * x * x)));
}

// dy times the derivative. Far out the second factor of silu's is 0; the clamp keeps it from being 0 * infinity.
STRIATE_INLINE Vec relu_gradient(Vec dy, Vec x_or_y) {
    return select(x_or_y <= 0.0f, Vec{}, dy);
}
STRIATE_INLINE Vec relu6_gradient(Vec dy, Vec x_or_y) {
    return select((x_or_y <= 0.0f) | (x_or_y >= 6.0f), Vec{}, dy);
}
STRIATE_INLINE Vec silu_gradient(Vec dy, Vec x) {
    const Vec s = sigmoid(x);
    return dy * (s * (1.0f + clamp(x, -100.0f, 100.0f) * (1.0f - s)));
}
STRIATE_INLINE Vec hard_swish_gradient(Vec dy, Vec x) {
    const Vec middle = x * (1.0f / 3.0f) + 0.5f;
    return dy * select(x <= -3.0f, Vec{}, select(x >= 3.0f, broadcast(1.0f), middle));
}

// The activations of normalisations (fits_normalization()) and what passes through them backwards, by a kind that is
// known when this is compiled.
template <ActivationKind kKind>
STRIATE_INLINE Vec activated(Vec x) {
    if constexpr (kKind == ActivationKind::relu) return max(Vec{}, x);
    if constexpr (kKind == ActivationKind::relu6) return relu6(x);
    if constexpr (kKind == ActivationKind::silu) return silu(x);
    if constexpr (kKind == ActivationKind::hard_swish) return hard_swish(x);
    return x;
}
template <ActivationKind kKind>
STRIATE_INLINE Vec passed_back(Vec dy, Vec x) {
    if constexpr (kKind == ActivationKind::relu) return relu_gradient(dy, x);
    if constexpr (kKind == ActivationKind::relu6) return relu6_gradient(dy, x);
    if constexpr (kKind == ActivationKind::silu) return silu_gradient(dy, x);
    if constexpr (kKind == ActivationKind::hard_swish) return hard_swish_gradient(dy, x);
    return dy;
}

template <ActivationKind kKind>
struct Activated {
    static constexpr ActivationKind value = kKind;
    static constexpr bool linear = kKind == ActivationKind::linear;
};
// f(kind) as a constant of the type system, for the kinds that fits_normalization() names.
template <class F>
STRIATE_INLINE void choose_activation(ActivationKind kind, F&& f) {
    if (kind == ActivationKind::linear) f(Activated<ActivationKind::linear>{});
    if (kind == ActivationKind::relu) f(Activated<ActivationKind::relu>{});
    if (kind == ActivationKind::relu6) f(Activated<ActivationKind::relu6>{});
    if (kind == ActivationKind::silu) f(Activated<ActivationKind::silu>{});
    if (kind == ActivationKind::hard_swish) f(Activated<ActivationKind::hard_swish>{});
}

}  // namespace
}  // namespace striate::kernels::STRIATE_ISA
