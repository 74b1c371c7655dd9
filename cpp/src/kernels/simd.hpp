// One vector type for every instruction set, by GCC/Clang vector extensions. Included only by kernel sources, which are
// compiled once per ISA: all of it is in an anonymous namespace inside the ISA's own, so no symbol can leak between
// them.
#pragma once

#include <stddef.h>
#include <stdint.h>

#if defined(__AVX__) || defined(__SSE2__)
#include <immintrin.h>
#endif

#ifndef STRIATE_ISA
#error "kernel sources are compiled by cmake/isa.cmake, which defines STRIATE_ISA"
#endif

#if defined(__AVX512F__)
#define STRIATE_VECTOR_WIDTH 16
#elif defined(__AVX__)
#define STRIATE_VECTOR_WIDTH 8
#else
#define STRIATE_VECTOR_WIDTH 4
#endif

#define STRIATE_INLINE inline __attribute__((always_inline))

namespace striate::kernels::STRIATE_ISA {
namespace {

constexpr int kWidth = STRIATE_VECTOR_WIDTH;  // floats in a vector

using Vec = float __attribute__((vector_size(kWidth * 4)));
using VecI = int32_t __attribute__((vector_size(kWidth * 4)));
using VecU = uint32_t __attribute__((vector_size(kWidth * 4)));

// The same vectors at any address, for loads and stores of unaligned memory. In an alias (using) clang 14 ignores the
// alignment; in a typedef it does not.
typedef float UnalignedVec __attribute__((vector_size(kWidth * 4), aligned(4), may_alias));
typedef int32_t UnalignedVecI __attribute__((vector_size(kWidth * 4), aligned(4), may_alias));
static_assert(alignof(UnalignedVec) == 4 && alignof(UnalignedVecI) == 4);

STRIATE_INLINE Vec load(const float* p) {
    return *reinterpret_cast<const UnalignedVec*>(p);
}
STRIATE_INLINE void store(float* p, Vec v) {
    *reinterpret_cast<UnalignedVec*>(p) = v;
}
STRIATE_INLINE Vec broadcast(float s) {
    return s - Vec{};
}
STRIATE_INLINE VecI broadcast_int(int32_t s) {
    return s - VecI{};
}

// The first `count` floats (0 < count < kWidth); the rest of the vector is zero and the memory behind is not touched.
STRIATE_INLINE Vec load_partial(const float* p, int64_t count) {
    float lanes[kWidth] = {};
    for (int64_t i = 0; i < count; ++i) lanes[i] = p[i];
    return load(lanes);
}
STRIATE_INLINE void store_partial(float* p, Vec v, int64_t count) {
    float lanes[kWidth];
    store(lanes, v);
    for (int64_t i = 0; i < count; ++i) p[i] = lanes[i];
}

STRIATE_INLINE Vec select(VecI mask, Vec yes, Vec no) {
    return mask ? yes : no;
}
// The second operand wins unless the first is greater (less), so a NaN in `b` passes through. GCC makes two
// instructions of the comparison and the choice, which x86 has as one.
STRIATE_INLINE Vec max(Vec a, Vec b) {
#if defined(__AVX512F__)
    return reinterpret_cast<Vec>(_mm512_maskz_max_ps(0xffff, reinterpret_cast<__m512>(a), reinterpret_cast<__m512>(b)));
#elif defined(__AVX__)
    return reinterpret_cast<Vec>(_mm256_max_ps(reinterpret_cast<__m256>(a), reinterpret_cast<__m256>(b)));
#elif defined(__SSE2__)
    return reinterpret_cast<Vec>(_mm_max_ps(reinterpret_cast<__m128>(a), reinterpret_cast<__m128>(b)));
#else
    return select(a > b, a, b);
#endif
}
STRIATE_INLINE Vec min(Vec a, Vec b) {
#if defined(__AVX512F__)
    return reinterpret_cast<Vec>(_mm512_maskz_min_ps(0xffff, reinterpret_cast<__m512>(a), reinterpret_cast<__m512>(b)));
#elif defined(__AVX__)
    return reinterpret_cast<Vec>(_mm256_min_ps(reinterpret_cast<__m256>(a), reinterpret_cast<__m256>(b)));
#elif defined(__SSE2__)
    return reinterpret_cast<Vec>(_mm_min_ps(reinterpret_cast<__m128>(a), reinterpret_cast<__m128>(b)));
#else
    return select(a < b, a, b);
#endif
}
STRIATE_INLINE VecI bits(Vec v) {
    return reinterpret_cast<VecI>(v);
}
STRIATE_INLINE Vec from_bits(VecI v) {
    return reinterpret_cast<Vec>(v);
}
STRIATE_INLINE Vec abs(Vec v) {
    return from_bits(bits(v) & 0x7fffffff);
}

STRIATE_INLINE float sum(Vec v) {
    float lanes[kWidth];
    store(lanes, v);
    for (int step = kWidth / 2; step > 0; step /= 2)
        for (int i = 0; i < step; ++i) lanes[i] += lanes[i + step];
    return lanes[0];
}

}  // namespace
}  // namespace striate::kernels::STRIATE_ISA
