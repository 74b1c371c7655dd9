#include "kernels/args_conv.hpp"
#include "kernels/simd.hpp"

namespace striate::kernels::STRIATE_ISA {

void fma_peak(const FmaPeakArgs& a, int64_t begin, int64_t end) {
    constexpr int kChains = 12;  // enough to hide the latency, few enough for any register file
    for (int64_t unit = begin; unit < end; ++unit) {
        Vec acc[kChains];
        const Vec x = broadcast(a.sink[unit]);
        for (int i = 0; i < kChains; ++i) acc[i] = x + static_cast<float>(i);
        for (int64_t step = 0; step < (int64_t{1} << 20) / kChains; ++step) {
#pragma GCC unroll 12
            for (int i = 0; i < kChains; ++i) acc[i] = acc[i] * x + x;
        }
        Vec total = acc[0];
        for (int i = 1; i < kChains; ++i) total += acc[i];
        a.sink[unit] = 1.0f + 1e-30f * sum(total);
    }
}

}  // namespace striate::kernels::STRIATE_ISA
