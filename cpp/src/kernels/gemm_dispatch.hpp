// Cuts work into tiles and finds the microkernel for a tile's size. Included by kernel sources only.
#pragma once

#include "kernels/gemm_tile.hpp"
#include "kernels/layout.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

// How many rows a tile of so many vectors may have before accumulators spill: a matter of registers.
constexpr int max_rows(int vectors) {
#if defined(__AVX512F__) || defined(__aarch64__)
    return vectors == 1 ? 26 : vectors == 2 ? 14 : vectors == 3 ? 8 : 6;
#else
    return vectors == 1 ? 12 : 6;
#endif
}

#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kMaxVectors = 4;
#else
constexpr int kMaxVectors = 2;
#endif
constexpr int kMaxLength = max_rows(1);
using TileFunction = void (*)(const TileCall&);

template <Walk kWalk, int kVectors>
struct TileTable {
    TileFunction of[kMaxSegments + 1][kMaxLength + 1] = {};

    constexpr TileTable() {
        fill<1>();
        fill<2>();
        fill<3>();
        fill<4>();
    }

  private:
    template <int kSegments, int kLength = 1>
    constexpr void fill() {
        if constexpr (kSegments * kLength <= max_rows(kVectors) &&
                      (kSegments == 1 || kSegments * kLength <= max_rows(2))) {
            of[kSegments][kLength] = &Tile<kWalk, kSegments, kLength, kVectors>::run;
            fill<kSegments, kLength + 1>();
        }
    }
};

template <Walk kWalk>
STRIATE_INLINE TileFunction tile_for(int64_t vectors, int64_t segments, int64_t length) {
    static constexpr TileTable<kWalk, 1> one;
    static constexpr TileTable<kWalk, 2> two;
    if constexpr (kMaxVectors == 4) {
        static constexpr TileTable<kWalk, 3> three;
        static constexpr TileTable<kWalk, 4> four;
        if (vectors == 3) return three.of[segments][length];
        if (vectors == 4) return four.of[segments][length];
    }
    return vectors == 1 ? one.of[segments][length] : two.of[segments][length];
}

STRIATE_INLINE int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

// How lines of `size` pixels (or rows of weights) are cut into tiles: a line into strips of nearly equal length, or
// several short lines into one tile.
struct Place {
    int64_t line, strip, start, length;
};

class Strips {
  public:
    STRIATE_INLINE Strips(int64_t size, int64_t longest, int64_t segments)
        : count_(divide_up(size, longest)), longer_(size % count_), length_(size / count_), segments_(segments) {}

    STRIATE_INLINE int64_t per_line() const { return count_; }
    STRIATE_INLINE Place at(int64_t tile) const {
        const int64_t group = tile / count_;
        return sized({group * segments_, tile - group * count_, 0, 0});
    }
    STRIATE_INLINE Place after(Place p) const {
        if (++p.strip == count_) {
            p.strip = 0;
            p.line += segments_;
        }
        return sized(p);
    }

  private:
    // The first strips are one pixel longer.
    STRIATE_INLINE Place sized(Place p) const {
        p.length = length_ + (p.strip < longer_);
        p.start = p.strip * length_ + least(p.strip, longer_);
        return p;
    }
    int64_t count_, longer_, length_, segments_;
};

}  // namespace
}  // namespace striate::kernels::STRIATE_ISA
