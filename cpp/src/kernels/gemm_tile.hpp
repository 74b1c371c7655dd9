// The register-blocked microkernel behind convolution and dense layers: a tile of output pixels x channels, summed over
// a batch of small matrix products. Included by kernel sources only.
#pragma once

#include "kernels/gemm_call.hpp"
#include "kernels/unroll.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

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
