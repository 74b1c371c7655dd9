// The register-blocked microkernel behind convolution and dense layers: a tile of output pixels x channels, summed over
// a batch of small matrix products. Included by kernel sources only.
#pragma once

#include "kernels/gemm_call.hpp"
#include "kernels/hide.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

// Base pointers every three rows keep address arithmetic out of the loop: base, base + step and base + 2 * step are one
// addressing mode each.
constexpr int kRowsPerBase = 3;

// The compiler unrolls these loops with constant bounds completely, so that accumulators are registers. Recursive
// templates with lambdas compile to the same loops, but take five to ten times as long.
#define STRIATE_UNROLL _Pragma("GCC unroll 128")

// Which values to hide was chosen by the vector spills and instructions of the loops over depth.
#if defined(__AVX2__) && !defined(__AVX512F__) && !defined(__clang__)
constexpr bool kHideStep = true;
#else
constexpr bool kHideStep = false;
#endif

template <Walk kWalk, int kSegments, int kLength, int kVectors>
struct Tile {
    static constexpr int kRows = kSegments * kLength;
    static constexpr int kBases = kWalk == Walk::forward ? (kLength + kRowsPerBase - 1) / kRowsPerBase : 1;
    static constexpr int kUnroll = kWalk == Walk::forward ? 4 : 1;
    using Accumulators = Vec[kRows * kVectors];
    using Bases = const float * [kSegments * kBases];

    static void run(const TileCall& t) {
        Accumulators acc;
        start(t, acc);
        const int64_t a_step = t.a_step, b_step = t.b_step;
        for (int64_t o = 0; o < t.outer; ++o) {
            for (int64_t i = 0; i < t.inner; ++i) {
                const float* b = t.b + o * t.b_outer + i * t.b_inner;
                Bases a;
                STRIATE_UNROLL
                for (int g = 0; g < kSegments * kBases; ++g)
                    a[g] = t.a[g / kBases] + o * t.a_outer + i * t.a_inner + g % kBases * kRowsPerBase * a_step;
                int64_t k = t.depth;
                if constexpr (kWalk == Walk::forward) {
                    for (; k >= kUnroll; k -= kUnroll) {
                        int64_t step_of_a = a_step;
                        if constexpr (kHideStep) hide_pointer(step_of_a);
                        step(a, b, b_step, step_of_a, 0, acc);
                        step(a, b, b_step, step_of_a, 1, acc);
                        step(a, b, b_step, step_of_a, 2, acc);
                        step(a, b, b_step, step_of_a, 3, acc);
                        advance(a, kUnroll);
                    }
                }
                for (; k > 0; --k) {
                    step(a, b, b_step, a_step, 0, acc);
                    advance(a, kWalk == Walk::forward ? 1 : a_step);
                }
            }
        }
        finish(t, acc);
    }

  private:
    static STRIATE_INLINE void step(const Bases& a, const float*& b, int64_t b_step, int64_t a_step, int u,
                                    Accumulators& acc) {
        Vec w[kVectors];
        STRIATE_UNROLL
        for (int j = 0; j < kVectors; ++j) w[j] = load(b + j * kWidth);
        STRIATE_UNROLL
        for (int r = 0; r < kRows; ++r) {
            const int s = r / kLength, l = r % kLength;
            const float* row =
                kWalk == Walk::forward ? a[s * kBases + l / kRowsPerBase] + l % kRowsPerBase * a_step : a[s] + l;
            Vec x = broadcast(row[u]);
            if constexpr (kHideStep && kVectors > 1) hide_vector(x);
            STRIATE_UNROLL
            for (int j = 0; j < kVectors; ++j) {
                acc[r * kVectors + j] += x * w[j];
                if constexpr (kWalk == Walk::forward && !kHideStep) hide_vector(acc[r * kVectors + j]);
            }
        }
        b += b_step;
        if constexpr (kWalk == Walk::forward && !kHideStep) hide_pointer(b);
    }

    static STRIATE_INLINE void advance(Bases& a, int64_t by) {
        STRIATE_UNROLL
        for (int g = 0; g < kSegments * kBases; ++g) a[g] += by;
    }

    static STRIATE_INLINE void start(const TileCall& t, Accumulators& acc) {
        Vec first[kVectors] = {};
        if (t.bias) {
            STRIATE_UNROLL
            for (int j = 0; j < kVectors; ++j) first[j] = load(t.bias + j * kWidth);
        }
        STRIATE_UNROLL
        for (int n = 0; n < kRows * kVectors; ++n) acc[n] = first[n % kVectors];
        if (t.load) {
            const float* c = t.c[0];
            STRIATE_UNROLL
            for (int r = 0; r < kRows; ++r) {
                if (r % kLength == 0) c = t.c[r / kLength];
                STRIATE_UNROLL
                for (int j = 0; j < kVectors; ++j) acc[r * kVectors + j] += load(c + j * kWidth);
                c += t.c_step;
            }
        } else if (t.ask) {
            for (int s = 0; s < kSegments; ++s) {
                const float* c = t.c[s];
                for (int l = 0; l < kLength; ++l, c += t.c_step) {
                    STRIATE_UNROLL
                    for (int j = 0; j < kVectors; ++j) __builtin_prefetch(c + j * kWidth, 1);
                }
            }
        }
    }

    static STRIATE_INLINE void finish(const TileCall& t, Accumulators& acc) {
        if (t.clamps) {
            const Vec floor = broadcast(t.floor), ceiling = broadcast(t.ceiling);
            STRIATE_UNROLL
            for (int n = 0; n < kRows * kVectors; ++n) acc[n] = min(ceiling, max(floor, acc[n]));
        }
        float* c = t.c[0];
        STRIATE_UNROLL
        for (int r = 0; r < kRows; ++r) {
            if (r % kLength == 0) c = t.c[r / kLength];
            STRIATE_UNROLL
            for (int j = 0; j < kVectors; ++j) store(c + j * kWidth, acc[r * kVectors + j]);
            c += t.c_step;
        }
    }
};
constexpr int max_rows(int vectors) {
    if (kMaxVectors == 2) return vectors == 1 ? kMaxLength : 6;
    return vectors == 1 ? kMaxLength : vectors == 2 ? 14 : vectors == 3 ? 8 : 6;
}

template <Walk kWalk, int kVectors, int kSegments, int kLength>
constexpr void fill_tiles(TileTable& table) {
    if constexpr (kSegments * kLength <= max_rows(kVectors) && (kSegments == 1 || kSegments * kLength <= max_rows(2))) {
        table.of[kVectors][kSegments][kLength] = &Tile<kWalk, kSegments, kLength, kVectors>::run;
        fill_tiles<kWalk, kVectors, kSegments, kLength + 1>(table);
    }
}

template <Walk kWalk, int kVectors = 1>
constexpr void fill_tiles(TileTable& table) {
    if constexpr (kVectors <= kMaxVectors) {
        fill_tiles<kWalk, kVectors, 1, 1>(table);
        fill_tiles<kWalk, kVectors, 2, 1>(table);
        fill_tiles<kWalk, kVectors, 3, 1>(table);
        fill_tiles<kWalk, kVectors, 4, 1>(table);
        fill_tiles<kWalk, kVectors + 1>(table);
    }
}

template <Walk kWalk>
constexpr TileTable make_tiles() {
    TileTable table{};
    fill_tiles<kWalk>(table);
    return table;
}

}  // namespace
}  // namespace striate::kernels::STRIATE_ISA
