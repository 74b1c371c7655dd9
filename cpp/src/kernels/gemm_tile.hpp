// The register-blocked microkernel behind convolution and dense layers: a tile of output pixels x channels, summed over
// a batch of small matrix products. Included by kernel sources only.
#pragma once

#include "kernels/simd.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

constexpr int kMaxSegments = 4;

// One tile: c[r][j] (+)= sum over outer, inner, depth of a[r] * b[j]. All of the tile's columns are stored.
struct TileCall {
    const float* a[kMaxSegments];  // one base address a segment
    float* c[kMaxSegments];
    int64_t c_step;  // between rows of a segment
    int64_t a_step;  // of `a`: forward between rows (depth is contiguous); transposed between depths (rows are)
    int64_t outer, inner, depth;  // the reduction; a taps's place in `a` and `b` follows from its outer and inner index
    int64_t a_outer, a_inner;
    const float* b;
    int64_t b_outer, b_inner, b_step;
    const float* bias;  // added at the start, or null
    bool load;          // start from c
    bool ask;           // if not: ask for c's memory before the sum, lest the stores wait for it to be read
    bool relu;
};

enum class Walk { forward, transposed };

template <int N>
struct Int {
    static constexpr int value = N;
};

template <int Begin, int End, class Body>
STRIATE_INLINE void unroll(const Body& body) {
    if constexpr (Begin < End) {
        body(Int<Begin>{});
        unroll<Begin + 1, End>(body);
    }
}

#define STRIATE_BODY __attribute__((always_inline))

// Base pointers every three rows keep address arithmetic out of the loop: base, base + step and base + 2 * step are one
// addressing mode each.
constexpr int kRowsPerBase = 3;

template <Walk kWalk, int kSegments, int kLength, int kVectors>
struct Tile {
    static constexpr int kRows = kSegments * kLength;
    static constexpr int kBases = kWalk == Walk::forward ? (kLength + kRowsPerBase - 1) / kRowsPerBase : 1;
    static constexpr int kUnroll = kWalk == Walk::forward ? 4 : 1;

    static void run(const TileCall& t) {
        Vec acc[kRows][kVectors];
        const int64_t a_step = t.a_step, b_step = t.b_step;
        start(t, acc);

        for (int64_t o = 0; o < t.outer; ++o) {
            for (int64_t i = 0; i < t.inner; ++i) {
                const float* b = t.b + o * t.b_outer + i * t.b_inner;
                const float* a[kSegments][kBases];
                unroll<0, kSegments>([&](auto s) STRIATE_BODY {
                    unroll<0, kBases>([&](auto g) STRIATE_BODY {
                        a[s.value][g.value] =
                            t.a[s.value] + o * t.a_outer + i * t.a_inner + g.value * kRowsPerBase * a_step;
                    });
                });
                const auto step = [&](auto u) STRIATE_BODY {
                    Vec w[kVectors];
                    unroll<0, kVectors>([&](auto j) STRIATE_BODY { w[j.value] = load(b + j.value * kWidth); });
                    unroll<0, kRows>([&](auto r) STRIATE_BODY {
                        constexpr int s = r.value / kLength, l = r.value % kLength;
                        float value;
                        if constexpr (kWalk == Walk::forward)
                            value = a[s][l / kRowsPerBase][(l % kRowsPerBase) * a_step + u.value];
                        else
                            value = a[s][0][l];
                        const Vec x = broadcast(value);
                        unroll<0, kVectors>([&](auto j) STRIATE_BODY { acc[r.value][j.value] += x * w[j.value]; });
                    });
                    b += b_step;
                };
                const auto advance = [&](int64_t by) STRIATE_BODY {
                    unroll<0, kSegments>([&](auto s) STRIATE_BODY {
                        unroll<0, kBases>([&](auto g) STRIATE_BODY { a[s.value][g.value] += by; });
                    });
                };
                int64_t k = t.depth;
                if constexpr (kWalk == Walk::forward) {
                    for (; k >= kUnroll; k -= kUnroll) {
                        unroll<0, kUnroll>(step);
                        advance(kUnroll);
                    }
                    for (; k > 0; --k) {
                        step(Int<0>{});
                        advance(1);
                    }
                } else {
                    for (; k > 0; --k) {
                        step(Int<0>{});
                        advance(a_step);
                    }
                }
            }
        }
        finish(t, acc);
    }

  private:
    using Accumulators = Vec[kRows][kVectors];

    // Calls body(row, address of the row's part of c).
    template <class Body>
    static STRIATE_INLINE void each_row(const TileCall& t, const Body& body) {
        const int64_t c_step = t.c_step;
        float* c[kSegments];
        unroll<0, kSegments>([&](auto s) STRIATE_BODY { c[s.value] = t.c[s.value]; });
        unroll<0, kRows>([&](auto r) STRIATE_BODY {
            float*& p = c[r.value / kLength];
            body(r, p);
            p += c_step;
        });
    }

    static STRIATE_INLINE void start(const TileCall& t, Accumulators& acc) {
        Vec first[kVectors] = {};
        if (t.bias) unroll<0, kVectors>([&](auto j) STRIATE_BODY { first[j.value] = load(t.bias + j.value * kWidth); });
        unroll<0, kRows>([&](auto r) STRIATE_BODY {
            unroll<0, kVectors>([&](auto j) STRIATE_BODY { acc[r.value][j.value] = first[j.value]; });
        });
        if (t.load) {
            each_row(t, [&](auto r, const float* c) STRIATE_BODY {
                unroll<0, kVectors>([&](auto j) STRIATE_BODY { acc[r.value][j.value] += load(c + j.value * kWidth); });
            });
        } else if (t.ask) {
            each_row(t, [&](auto, const float* c) STRIATE_BODY {
                unroll<0, kVectors>([&](auto j) STRIATE_BODY { __builtin_prefetch(c + j.value * kWidth, 1); });
            });
        }
    }

    static STRIATE_INLINE void finish(const TileCall& t, Accumulators& acc) {
        if (t.relu) {
            unroll<0, kRows>([&](auto r) STRIATE_BODY {
                unroll<0, kVectors>([&](auto j)
                                        STRIATE_BODY { acc[r.value][j.value] = max(Vec{}, acc[r.value][j.value]); });
            });
        }
        each_row(t, [&](auto r, float* c) STRIATE_BODY {
            unroll<0, kVectors>([&](auto j) STRIATE_BODY { store(c + j.value * kWidth, acc[r.value][j.value]); });
        });
    }
};

}  // namespace
}  // namespace striate::kernels::STRIATE_ISA
