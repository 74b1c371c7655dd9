// Philox4x32-10, kWidth counters at a time.
#pragma once

#include "kernels/args_random.hpp"
#include "kernels/lanes.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

using VecL = uint64_t __attribute__((vector_size(kWidth * 4)));  // half as many lanes of 64 bits

// The 64-bit products of the even lanes with m.
STRIATE_INLINE VecL multiply_even(VecL v, VecL m) {
#if defined(__AVX512F__)
    return reinterpret_cast<VecL>(
        _mm512_maskz_mul_epu32(0xff, reinterpret_cast<__m512i>(v), reinterpret_cast<__m512i>(m)));
#elif defined(__AVX2__)
    return reinterpret_cast<VecL>(_mm256_mul_epu32(reinterpret_cast<__m256i>(v), reinterpret_cast<__m256i>(m)));
#elif defined(__SSE2__)
    return reinterpret_cast<VecL>(_mm_mul_epu32(reinterpret_cast<__m128i>(v), reinterpret_cast<__m128i>(m)));
#else
    return (v & 0xffffffffu) * m;
#endif
}

// low and high halves of v * m in every lane
STRIATE_INLINE void multiply_wide(VecU v, uint32_t m, VecU& low, VecU& high) {
    const VecL pairs = reinterpret_cast<VecL>(v), factor = VecL{} + m;
    const VecL even = multiply_even(pairs, factor), odd = multiply_even(pairs >> 32, factor);
    low = reinterpret_cast<VecU>((even & 0xffffffffu) | (odd << 32));
    high = reinterpret_cast<VecU>((even >> 32) | (odd & ~uint64_t{0xffffffff}));
}

// The words of kWidth blocks from `block` on: words[k] holds word k of each.
STRIATE_INLINE void philox(const RandomSource& source, uint32_t block, VecU (&words)[4]) {
    words[0] = reinterpret_cast<VecU>(lane_numbers()) + block;
    words[1] = VecU{} + source.step;
    words[2] = VecU{} + static_cast<uint32_t>(source.stream);
    words[3] = VecU{} + static_cast<uint32_t>(source.stream >> 32);
    uint32_t key0 = static_cast<uint32_t>(source.seed), key1 = static_cast<uint32_t>(source.seed >> 32);
    for (int round = 0; round < 10; ++round) {
        VecU low0, high0, low1, high1;
        multiply_wide(words[0], 0xD2511F53u, low0, high0);
        multiply_wide(words[2], 0xCD9E8D57u, low1, high1);
        words[0] = high1 ^ words[1] ^ key0;
        words[2] = high0 ^ words[3] ^ key1;
        words[1] = low1;
        words[3] = low0;
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
}

// The random words of elements [64 * group, 64 * group + 64).
STRIATE_INLINE void random_words(const RandomSource& source, int64_t group, uint32_t (&out)[64]) {
    for (int lane = 0; lane < 16; lane += kWidth) {
        VecU words[4];
        philox(source, static_cast<uint32_t>(group * 16 + lane), words);
        for (int k = 0; k < 4; ++k)
            store(reinterpret_cast<float*>(out) + k * 16 + lane, reinterpret_cast<Vec>(words[k]));
    }
}

}  // namespace
}  // namespace striate::kernels::STRIATE_ISA
