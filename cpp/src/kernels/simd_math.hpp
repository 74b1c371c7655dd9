// Elementary functions on vectors. Polynomials are minimax fits (Remez) on the reduced interval; errors are at most 2.5
// ulp, and infinities, NaN and denormals come out as in <math.h>.
#pragma once

#include "kernels/lanes.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

constexpr float kInfinity = __builtin_inff();

template <int N>
STRIATE_INLINE Vec polynomial(Vec x, const float (&highest_first)[N]) {
    Vec p = broadcast(highest_first[0]);
    for (int i = 1; i < N; ++i) p = p * x + highest_first[i];
    return p;
}

// x = n ln 2 + r with |r| <= ln 2 / 2; returns (e^r - 1 - r) / r^2. Adding 1.5 * 2^23 rounds to an integer.
STRIATE_INLINE Vec reduce_exp(Vec x, Vec& r, VecI& n) {
    const Vec magic = broadcast(12582912.0f);
    const Vec shifted = x * 1.44269504f + magic;
    const Vec whole = shifted - magic;
    n = bits(shifted) - bits(magic);
    r = x - whole * 0.693359375f;
    r = r + whole * 2.12194440e-4f;
    const float p[] = {1.99155911e-4f, 1.39420072e-3f, 8.33327044e-3f, 4.16663438e-2f, 1.66666672e-1f, 0.5f};
    return polynomial(r, p);
}

// 2^n for -126 <= n <= 127
STRIATE_INLINE Vec power_of_two(VecI n) {
    return from_bits((n + 127) << 23);
}

STRIATE_INLINE Vec exp(Vec x) {
    x = min(broadcast(89.0f), max(broadcast(-104.0f), x));
    Vec r;
    VecI n;
    const Vec p = reduce_exp(x, r, n);
    const Vec y = r * r * p + r + 1.0f;
    const VecI half = n >> 1;  // in two factors, so that results may be denormal or infinite
    return y * power_of_two(half) * power_of_two(n - half);
}

// e^x - 1 without cancellation near 0
STRIATE_INLINE Vec expm1(Vec x) {
    const VecI tiny = abs(x) < 1e-30f;
    const Vec clamped = min(broadcast(89.0f), max(broadcast(-18.0f), x));
    Vec r;
    VecI n;
    const Vec p = reduce_exp(clamped, r, n);
    const Vec half = power_of_two(n - 1);
    const Vec y = half * (r * r * p + r) + (half - 0.5f);
    return select(tiny, x, y + y);
}

STRIATE_INLINE Vec log(Vec x) {
    const VecI denormal = x < 1.17549435e-38f;
    const Vec scaled = select(denormal, x * 33554432.0f, x);
    const VecI shifted = bits(scaled) + (0x3f800000 - 0x3f3504f3);
    const VecI exponent = (shifted >> 23) - 127 - (denormal & 25);
    const Vec f = from_bits((shifted & 0x007fffff) + 0x3f3504f3) - 1.0f;  // in [sqrt(1/2) - 1, sqrt(2) - 1)
    const float q[] = {6.74664825e-2f,  -1.16756551e-1f, 1.18881606e-1f,  -1.24055885e-1f, 1.42195523e-1f,
                       -1.66679963e-1f, 2.00021192e-1f,  -2.50000089e-1f, 3.33333135e-1f};
    const Vec e = __builtin_convertvector(exponent, Vec);
    const Vec square = f * f;
    Vec y = f * square * polynomial(f, q);
    y = y - e * 2.12194440e-4f;
    y = y - 0.5f * square;
    y = (f + y) + e * 0.693359375f;
    y = select(x == 0.0f, broadcast(-kInfinity), y);
    y = select(x == kInfinity, x, y);
    return select(x >= 0.0f, y, broadcast(__builtin_nanf("")));
}

// log(1 + x) without cancellation near 0: the logarithm of the rounded sum, plus what the rounding lost
STRIATE_INLINE Vec log1p(Vec x) {
    const Vec u = 1.0f + x;
    const Vec y = log(u);
    const Vec lost = (x - (u - 1.0f)) / u;
    return select((u > 0.0f) & (u < kInfinity), y + lost, y);
}

STRIATE_INLINE Vec with_sign_of(Vec magnitude, Vec sign) {
    return from_bits(bits(magnitude) | (bits(sign) & static_cast<int32_t>(0x80000000)));
}

STRIATE_INLINE Vec tanh(Vec x) {
    const Vec t = expm1(-2.0f * abs(x));
    return with_sign_of(-t / (t + 2.0f), x);
}

STRIATE_INLINE Vec sigmoid(Vec x) {
    const Vec e = exp(-abs(x));
    return select(x >= 0.0f, broadcast(1.0f), e) / (1.0f + e);
}

// x * sigmoid(x) = x / (1 + e^-x), in half the instructions of sigmoid(). Below -88, where the result is within 1e-36
// of 0, it is 0.
STRIATE_INLINE Vec silu(Vec x) {
    Vec r;
    VecI n;
#if defined(__AVX512F__)
    const Vec p = reduce_exp(min(broadcast(88.0f), max(broadcast(-60.0f), -x)), r, n);
    const Vec d = 1.0f + from_bits(bits(r * r * p + r + 1.0f) + (n << 23));
    // The reciprocal by one step of Newton's method, in a third of the time of the division.
    const Vec guess = reinterpret_cast<Vec>(_mm512_maskz_rcp14_ps(0xffff, reinterpret_cast<__m512>(d)));
    const Vec y = x * (guess + guess * (1.0f - d * guess));
    return select(x < -88.0f, x * 0.0f, y);
#else
    const Vec p = reduce_exp(min(broadcast(89.0f), max(broadcast(-60.0f), -x)), r, n);
    const Vec half = from_bits(bits(r * r * p + r + 1.0f) + ((n - 1) << 23));  // of e^-x, which may be infinite
    return x / (1.0f + (half + half));
#endif
}

// log(1 + e^x)
STRIATE_INLINE Vec softplus(Vec x) {
    return max(Vec{}, x) + log1p(exp(-abs(x)));
}

STRIATE_INLINE Vec erf(Vec x) {
    const Vec a = min(broadcast(4.0f), abs(x));
    const float near[] = {7.85386073e-5f, -8.01019371e-4f, 5.18832775e-3f, -2.6853811e-2f,
                          1.12835854e-1f, -3.7612626e-1f,  1.12837911f};
    const Vec small = x * polynomial(x * x, near);
    const float far[] = {-1.85573954e-4f, 2.93960678e-3f, -2.18053162e-2f, 1.03037365e-1f,
                         6.38225675e-1f,  1.12704003f,    3.53720272e-4f};  // -log(erfc(a)) for 1 <= a <= 4
    const Vec large = 1.0f - exp(-polynomial(a, far));
    return select(a < 1.0f, small, with_sign_of(large, x));
}

// a^b for a >= 0 and b >= 0; whole exponents up to 4 by multiplication, others within a relative error of 1e-5
STRIATE_INLINE Vec power(Vec a, float b) {
    if (b == 0.0f) return broadcast(1.0f);
    if (b == 1.0f) return a;
    if (b == 2.0f) return a * a;
    if (b == 3.0f) return a * a * a;
    if (b == 4.0f) return (a * a) * (a * a);
    return exp(b * log(a));
}

}  // namespace
}  // namespace striate::kernels::STRIATE_ISA
