// What element-wise kernels need beyond simd.hpp: vectors cut short at the end of a run, square roots, bytes and
// doubles, and walks over the runs, strips and blocks of several views at once. For kernel sources only.
#pragma once

#include "kernels/layout.hpp"
#include "kernels/simd.hpp"

#if defined(__AVX__) || defined(__SSE2__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

namespace striate::kernels::STRIATE_ISA {
namespace {

using Bytes = uint8_t __attribute__((vector_size(kWidth)));
typedef uint8_t UnalignedBytes __attribute__((vector_size(kWidth), aligned(1), may_alias));
static_assert(alignof(UnalignedBytes) == 1);

STRIATE_INLINE int64_t lesser(int64_t a, int64_t b) {
    return a < b ? a : b;
}
STRIATE_INLINE int64_t greater(int64_t a, int64_t b) {
    return a > b ? a : b;
}

// Bytes to lanes and back, for lanes in 0 .. 255. GCC makes long detours of the general conversions.
STRIATE_INLINE VecI widen_bytes(const uint8_t* p) {
#if defined(__AVX512F__)
    return reinterpret_cast<VecI>(
        _mm512_maskz_cvtepu8_epi32(0xffff, _mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
#elif defined(__AVX2__)
    return reinterpret_cast<VecI>(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
#else
    return __builtin_convertvector(*reinterpret_cast<const UnalignedBytes*>(p), VecI);
#endif
}
STRIATE_INLINE void narrow_to_bytes(uint8_t* p, VecI v) {
#if defined(__AVX512F__)
    _mm512_mask_cvtepi32_storeu_epi8(p, 0xffff, reinterpret_cast<__m512i>(v));
#elif defined(__AVX2__)
    const __m256i lanes = reinterpret_cast<__m256i>(v);
    const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256(lanes, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(words, words));
#else
    *reinterpret_cast<UnalignedBytes*>(p) = __builtin_convertvector(v, Bytes);
#endif
}

// 0, 1, 2, ...
STRIATE_INLINE VecI lane_numbers() {
    constexpr int32_t numbers[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return *reinterpret_cast<const UnalignedVecI*>(numbers);
}

STRIATE_INLINE Vec sqrt(Vec v) {
#if defined(__AVX512F__)
    return reinterpret_cast<Vec>(_mm512_maskz_sqrt_ps(0xffff, reinterpret_cast<__m512>(v)));
#elif defined(__AVX__)
    return reinterpret_cast<Vec>(_mm256_sqrt_ps(reinterpret_cast<__m256>(v)));
#elif defined(__SSE2__)
    return reinterpret_cast<Vec>(_mm_sqrt_ps(reinterpret_cast<__m128>(v)));
#elif defined(__aarch64__)
    return reinterpret_cast<Vec>(vsqrtq_f32(reinterpret_cast<float32x4_t>(v)));
#else
    for (int i = 0; i < kWidth; ++i) v[i] = __builtin_sqrtf(v[i]);
    return v;
#endif
}

// The first `count` floats (0 < count <= kWidth), zeros behind them; memory beyond is not touched.
STRIATE_INLINE Vec load_first(const float* p, int64_t count) {
#if defined(__AVX512F__)
    return reinterpret_cast<Vec>(_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), p));
#elif defined(__AVX__)
    const VecI mask = broadcast_int(static_cast<int32_t>(count)) > lane_numbers();
    return reinterpret_cast<Vec>(_mm256_maskload_ps(p, reinterpret_cast<__m256i>(mask)));
#else
    Vec v = {};
    v[0] = p[0];
    if (count > 1) v[1] = p[1];
    if (count > 2) v[2] = p[2];
    if (count > 3) v[3] = p[3];
    return v;
#endif
}
STRIATE_INLINE void store_first(float* p, Vec v, int64_t count) {
#if defined(__AVX512F__)
    _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << count) - 1), reinterpret_cast<__m512>(v));
#elif defined(__AVX__)
    const VecI mask = broadcast_int(static_cast<int32_t>(count)) > lane_numbers();
    _mm256_maskstore_ps(p, reinterpret_cast<__m256i>(mask), reinterpret_cast<__m256>(v));
#else
    p[0] = v[0];
    if (count > 1) p[1] = v[1];
    if (count > 2) p[2] = v[2];
    if (count > 3) p[3] = v[3];
#endif
}

// A full vector and the end of a run, behind one face.
struct Whole {
    STRIATE_INLINE Vec load(const float* p) const { return STRIATE_ISA::load(p); }
    STRIATE_INLINE void store(float* p, Vec v) const { STRIATE_ISA::store(p, v); }
    STRIATE_INLINE VecI load_bytes(const uint8_t* p) const { return widen_bytes(p); }
    STRIATE_INLINE void store_bytes(uint8_t* p, VecI v) const { narrow_to_bytes(p, v); }
    STRIATE_INLINE VecI load_ints(const int32_t* p) const { return *reinterpret_cast<const UnalignedVecI*>(p); }
    STRIATE_INLINE void store_ints(int32_t* p, VecI v) const { *reinterpret_cast<UnalignedVecI*>(p) = v; }
    STRIATE_INLINE Vec keep(Vec v, Vec) const { return v; }
    STRIATE_INLINE int64_t size() const { return kWidth; }
};
struct Part {
    int64_t count;
    STRIATE_INLINE Vec load(const float* p) const { return load_first(p, count); }
    STRIATE_INLINE void store(float* p, Vec v) const { store_first(p, v, count); }
    STRIATE_INLINE VecI load_bytes(const uint8_t* p) const {
#if defined(__AVX512BW__) && defined(__AVX512VL__)
        const __m128i bytes = _mm_maskz_loadu_epi8(static_cast<__mmask16>((1u << count) - 1), p);
        return __builtin_convertvector(reinterpret_cast<Bytes>(bytes), VecI);
#else
        int32_t lanes[kWidth] = {};
        for (int64_t i = 0; i < count; ++i) lanes[i] = p[i];
        return *reinterpret_cast<const UnalignedVecI*>(lanes);
#endif
    }
    STRIATE_INLINE void store_bytes(uint8_t* p, VecI v) const {
#if defined(__AVX512BW__) && defined(__AVX512VL__)
        const Bytes bytes = __builtin_convertvector(v, Bytes);
        _mm_mask_storeu_epi8(p, static_cast<__mmask16>((1u << count) - 1), reinterpret_cast<__m128i>(bytes));
#else
        int32_t lanes[kWidth];
        *reinterpret_cast<UnalignedVecI*>(lanes) = v;
        for (int64_t i = 0; i < count; ++i) p[i] = static_cast<uint8_t>(lanes[i]);
#endif
    }
    STRIATE_INLINE VecI load_ints(const int32_t* p) const {
        return bits(load_first(reinterpret_cast<const float*>(p), count));
    }
    STRIATE_INLINE void store_ints(int32_t* p, VecI v) const {
        store_first(reinterpret_cast<float*>(p), from_bits(v), count);
    }
    // `v` in the lanes that exist, `other` behind them.
    STRIATE_INLINE Vec keep(Vec v, Vec other) const {
        return select(broadcast_int(static_cast<int32_t>(count)) > lane_numbers(), v, other);
    }
    STRIATE_INLINE int64_t size() const { return count; }
};

// f(i, lanes) for i = 0, kWidth, 2 kWidth, ... below count; `lanes` is a Whole or, for the rest, a Part.
template <class F>
STRIATE_INLINE void each_vector(int64_t count, F&& f) {
    int64_t i = 0;
    for (; i + kWidth <= count; i += kWidth) f(i, Whole{});
    if (i < count) f(i, Part{count - i});
}

// f(yes) as a constant of the type system, so that what is asked of it costs nothing inside loops.
template <bool B>
struct Flag {
    static constexpr bool value = B;
};
template <class F>
STRIATE_INLINE void choose(bool yes, F&& f) {
    if (yes)
        f(Flag<true>{});
    else
        f(Flag<false>{});
}

// The sum of the lanes in double precision, in a fixed order.
STRIATE_INLINE double sum_exactly(Vec v) {
    float lanes[kWidth];
    store(lanes, v);
    double total = 0;
    for (int i = 0; i < kWidth; ++i) total += lanes[i];
    return total;
}
STRIATE_INLINE float largest(Vec v) {
    float lanes[kWidth];
    store(lanes, v);
    float best = lanes[0];
    for (int i = 1; i < kWidth; ++i)
        if (lanes[i] > best || lanes[i] != lanes[i]) best = lanes[i];
    return best;
}

template <int K>
STRIATE_INLINE bool all_flat(const View (&views)[K]) {
    bool yes = true;
    for (int k = 0; k < K; ++k) yes = yes && flat(views[k]);
    return yes;
}
template <int K>
STRIATE_INLINE bool all_packed(const View (&views)[K]) {
    bool yes = true;
    for (int k = 0; k < K; ++k) yes = yes && packed(views[k]);
    return yes;
}

// Zeros in one image row.
STRIATE_INLINE void zero_row(float* row, const View& v) {
    const int64_t runs = packed(v) ? 1 : v.w, length = packed(v) ? v.w * v.c : v.c;
    for (int64_t run = 0; run < runs; ++run)
        each_vector(length, [&](int64_t i, auto lanes) { lanes.store(row + run * v.pixel + i, Vec{}); });
}

// The units [begin, end) of run_units() as runs that are contiguous in all views: body(offsets, first, count), where
// offsets[k] is a run's place behind the pointer of view k and `first` its element's number in n, y, x, c order.
template <int K, class Body>
STRIATE_INLINE void each_run(const View (&views)[K], int64_t begin, int64_t end, Body&& body) {
    const View& v = views[0];
    const bool one_run = all_flat(views), whole_rows = all_packed(views);
    const int64_t runs = one_run || whole_rows ? 1 : v.w, total = elements(v);
    const int64_t length = one_run ? kChunk : whole_rows ? v.w * v.c : v.c;
    for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t image = one_run ? 0 : unit / v.h, row = one_run ? 0 : unit % v.h;
        int64_t offsets[K];
        for (int k = 0; k < K; ++k) offsets[k] = one_run ? unit * kChunk : image * views[k].image + row * views[k].row;
        int64_t first = one_run ? unit * kChunk : unit * v.w * v.c;
        for (int64_t run = 0; run < runs; ++run) {
            body(offsets, first, one_run ? lesser(length, total - first) : length);
            for (int k = 0; k < K; ++k) offsets[k] += views[k].pixel;
            first += length;
        }
    }
}

// The units [begin, end) of strip_units() as strips of pixels: body(offsets, first, pixels, contiguous), where `first`
// is the first pixel's number in n, y, x order. When not contiguous, pixel i of view k is i * views[k].pixel further
// on. With `by_row` the units are image rows even where memory is one run.
template <int K, class Body>
STRIATE_INLINE void each_strip(const View (&views)[K], bool by_row, int64_t begin, int64_t end, Body&& body) {
    const View& v = views[0];
    const bool one_run = !by_row && all_flat(views), whole_rows = all_packed(views);
    const int64_t size = one_run ? strip_pixels(v) : v.w, total = pixels(v);
    for (int64_t unit = begin; unit < end; ++unit) {
        int64_t offsets[K];
        for (int k = 0; k < K; ++k)
            offsets[k] = one_run ? unit * size * v.c : unit / v.h * views[k].image + unit % v.h * views[k].row;
        body(offsets, unit * size, one_run ? lesser(size, total - unit * size) : size, whole_rows);
    }
}

// f(i, lanes, Vectors<N>) for vectors i, i + kWidth, ... N at a time while there are as many, and then one by one.
template <int N>
struct Vectors {
    static constexpr int value = N;
};
template <int N, class F>
STRIATE_INLINE void each_vectors(int64_t count, F&& f) {
    int64_t i = 0;
    for (; i + N * kWidth <= count; i += N * kWidth) f(i, Whole{}, Vectors<N>{});
    for (; i + kWidth <= count; i += kWidth) f(i, Whole{}, Vectors<1>{});
    if (i < count) f(i, Part{count - i}, Vectors<1>{});
}

// What a normalisation makes of a value that is `centred` from the mean. All who ask for it ask here, so that ReLU's
// gradient goes by the sign that the forward pass saw.
template <bool kShift>
STRIATE_INLINE Vec scaled(Vec centred, Vec scale, Vec shift) {
    return kShift ? centred * scale + shift : centred * scale;
}

// How many pixels side by side fill whole vectors, and several of them, where that is worth it: such a group is treated
// as one wide pixel.
constexpr int64_t kWidest = 512;  // floats of a wide pixel or of a group of channels
STRIATE_INLINE int64_t pixels_abreast(int64_t c, bool contiguous) {
    if (!contiguous) return 1;
    int64_t count = 1;
    while (c * count % kWidth != 0 || c * count < 4 * kWidth) count *= 2;
    return c * count <= kWidest ? count : 1;
}

// The pixels of image rows [begin, end) in blocks of at most kBlock, for sums down the channels that stay in registers
// and first-level cache: body(offsets, count, channel, width), where offsets[k][i] is the place of pixel i, from
// channel `channel` on, and `width` floats of it are to be done; lane j of them belongs to channel (channel + j) % c.
constexpr int64_t kBlock = 64;
template <int K, class Body>
STRIATE_INLINE void each_block(const View (&views)[K], int64_t begin, int64_t end, Body&& body) {
    const View& v = views[0];
    const bool one_run = all_flat(views);
    const int64_t abreast = pixels_abreast(v.c, all_packed(views));
    const int64_t lines = one_run ? 1 : end - begin, length = one_run ? (end - begin) * v.w : v.w;
    // Wide pixels first, then the pixels that are left over at the end of each line.
    for (int pass = abreast > 1 ? 0 : 1; pass < 2; ++pass) {
        const int64_t from = pass == 0 || abreast == 1 ? 0 : length / abreast * abreast;
        const int64_t to = pass == 0 ? length / abreast * abreast : length;
        const int64_t step = pass == 0 ? abreast : 1, width = v.c * step;
        if (from >= to) continue;
        for (int64_t channel = 0; channel < width; channel += kWidest) {
            int64_t offsets[K][kBlock];
            int64_t count = 0;
            for (int64_t line = 0; line < lines; ++line) {
                int64_t place[K];
                for (int k = 0; k < K; ++k)
                    place[k] = (begin + line) / v.h * views[k].image + (begin + line) % v.h * views[k].row +
                               from * views[k].pixel + channel;
                for (int64_t x = from; x < to; x += step) {
                    for (int k = 0; k < K; ++k) {
                        offsets[k][count] = place[k];
                        place[k] += step * views[k].pixel;
                    }
                    if (++count == kBlock) {
                        body(offsets, count, channel, lesser(kWidest, width - channel));
                        count = 0;
                    }
                }
            }
            if (count) body(offsets, count, channel, lesser(kWidest, width - channel));
        }
    }
}

}  // namespace
}  // namespace striate::kernels::STRIATE_ISA
