#include "kernels/args_augment.hpp"
#include "kernels/philox.hpp"
#include "kernels/simd_math.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

// Sine and cosine of 2 pi word / 2^32, by Taylor's series in the eighth of a turn around the nearest quarter.
STRIATE_INLINE void sine_and_cosine(VecU word, Vec& sine, Vec& cosine) {
    const VecU quarter = (word + 0x20000000u) >> 30;
    const Vec x = __builtin_convertvector(reinterpret_cast<VecI>(word - (quarter << 30)), Vec) * 1.46291808e-9f;
    const Vec square = x * x;
    const float odd[] = {2.75573192e-6f, -1.98412698e-4f, 8.33333333e-3f, -1.66666667e-1f};
    const float even[] = {2.48015873e-5f, -1.38888889e-3f, 4.16666667e-2f, -0.5f};
    const Vec s = x + x * square * polynomial(square, odd);
    const Vec c = 1.0f + square * polynomial(square, even);
    const VecI turned = (quarter & 1) != 0;
    const VecI s_sign = reinterpret_cast<VecI>((quarter >> 1) << 31);
    const VecI c_sign = reinterpret_cast<VecI>(((quarter + 1) >> 1) << 31);
    sine = from_bits(bits(select(turned, c, s)) ^ s_sign);
    cosine = from_bits(bits(select(turned, s, c)) ^ c_sign);
}

// Standard normal numbers of elements [64 group, 64 group + 64); no further from 0 than 5.9.
STRIATE_INLINE void normals(const RandomSource& source, int64_t group, float (&out)[64]) {
    uint32_t words[64];
    random_words(source, group, words);
    for (int i = 0; i < 32; i += kWidth) {
        const VecU first = reinterpret_cast<VecU>(load(reinterpret_cast<const float*>(words) + i));
        const VecU second = reinterpret_cast<VecU>(load(reinterpret_cast<const float*>(words) + 32 + i));
        const Vec uniform =
            __builtin_convertvector(reinterpret_cast<VecI>(first >> 8), Vec) * 0x1p-24f + broadcast(0x1p-25f);
        const Vec radius = sqrt(-2.0f * log(uniform));
        Vec sine, cosine;
        sine_and_cosine(second, sine, cosine);
        store(out + i, radius * cosine);
        store(out + 32 + i, radius * sine);
    }
}

STRIATE_INLINE VecI rounded(Vec v) {
    const Vec magic = broadcast(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
    return bits(v + magic) - bits(magic);
}

}  // namespace

void shade(const ShadeArgs& a, int64_t begin, int64_t end) {
    float noise[kShadeGroup] = {};
    for (int64_t group = begin; group < end; ++group) {
        const int64_t first = group * kShadeGroup, channel = first % a.c;
        if (a.noise != 0.0f) normals(a.source, group, noise);
        each_vector(lesser(kShadeGroup, a.size - first), [&](int64_t i, auto lanes) {
            Vec v = lanes.load(a.x + first + i) * lanes.load(a.scale + channel + i) + lanes.load(a.shift + channel + i);
            v += a.noise * lanes.load(noise + i);
            if (a.limited) v = min(broadcast(a.high), max(broadcast(a.low), v));
            if (a.bytes)
                lanes.store_bytes(a.bytes + first + i, rounded(v));
            else
                lanes.store(a.floats + first + i, v);
        });
    }
}

}  // namespace striate::kernels::STRIATE_ISA
