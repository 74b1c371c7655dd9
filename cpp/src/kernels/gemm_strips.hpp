// Cuts work into tiles. Included by kernel sources only.
#pragma once

#include "kernels/gemm_call.hpp"
#include "kernels/layout.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

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
