// What the kernels of grouped convolutions share. Included by kernel sources only.
#pragma once

#include "kernels/lanes.hpp"
#include "kernels/unroll.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

constexpr bool kManyRegisters = kWidth == 16;

// Copies lane kLane of each block of kGroup lanes to all lanes of that block.
template <int kGroup, int kLane>
STRIATE_INLINE Vec spread(Vec v) {
    static_assert(kWidth % kGroup == 0 && kLane < kGroup);
#define STRIATE_LANE(lane) (lane) / kGroup* kGroup + kLane
#define STRIATE_LANES(first) \
    STRIATE_LANE(first), STRIATE_LANE((first) + 1), STRIATE_LANE((first) + 2), STRIATE_LANE((first) + 3)
#if STRIATE_VECTOR_WIDTH == 16
#define STRIATE_ALL_LANES STRIATE_LANES(0), STRIATE_LANES(4), STRIATE_LANES(8), STRIATE_LANES(12)
#elif STRIATE_VECTOR_WIDTH == 8
#define STRIATE_ALL_LANES STRIATE_LANES(0), STRIATE_LANES(4)
#else
#define STRIATE_ALL_LANES STRIATE_LANES(0)
#endif
#if defined(__clang__)
    return __builtin_shufflevector(v, v, STRIATE_ALL_LANES);
#else
    return __builtin_shuffle(v, VecI{STRIATE_ALL_LANES});
#endif
#undef STRIATE_LANE
#undef STRIATE_LANES
#undef STRIATE_ALL_LANES
}

// The same of a vector in memory.
template <int kGroup, int kLane, class Lanes>
STRIATE_INLINE Vec load_spread(const float* p, Lanes lanes) {
    if constexpr (kGroup == kWidth) {
        return broadcast(p[kLane]);
    } else {
        return spread<kGroup, kLane>(lanes.load(p));
    }
}

// f(Int<group>), for groups that are at most a vector.
template <class F>
STRIATE_INLINE void with_group(int64_t group, F&& f) {
    if (group == 1) f(Int<1>{});
    if (group == 2) f(Int<2>{});
    if (group == 4) f(Int<4>{});
    if constexpr (kWidth >= 8)
        if (group == 8) f(Int<8>{});
    if constexpr (kWidth >= 16)
        if (group == 16) f(Int<16>{});
}

}  // namespace
}  // namespace striate::kernels::STRIATE_ISA
