// The convolution and dense layers whose kernels are measured.
#pragma once

#include "bench.hpp"
#include "cpu/convolution.hpp"

namespace bench {

namespace convolution = striate::convolution;
using striate::Machine;

struct Layer {
    Size in;
    int64_t out_c, kernel, stride = 1;
    bool same = true;
    int64_t groups = 1;

    bool depthwise() const { return groups > 1 && groups == in.c; }
    // Networks do not ask for the gradient of the picture.
    bool first() const { return in.c <= 3; }
    convolution::Problem problem() const;
    Size out() const {
        const convolution::Problem p = problem();
        return {in.n, p.out_h, p.out_w, p.out_c};
    }
    View in_view() const;   // with room for the zeros around it
    View out_view() const;  // without
    int64_t weights() const { return kernel * kernel * in.c / groups * out_c; }
    double flops() const { return 2.0 * static_cast<double>(out().pixels() * weights()); }
    double bytes() const { return kFloat * static_cast<double>(in.elements() + weights() + out().elements()); }
    std::string text() const;  // "3x3 /1 16x32x32x64 to 64": kernel, stride, input, output channels
};

inline constexpr Layer kLayers[] = {
    {{16, 32, 32, 64}, 64, 3},
    {{32, 16, 16, 128}, 128, 3},
    {{32, 8, 8, 256}, 256, 3},
    {{64, 4, 4, 512}, 512, 3},
    {{16, 64, 64, 16}, 32, 3},
    {{16, 128, 128, 16}, 16, 3},
    {{64, 28, 28, 1}, 32, 3, 1, false},
    {{16, 32, 32, 64}, 128, 3, 2},
    {{16, 224, 224, 3}, 64, 7, 2},
    {{16, 32, 32, 64}, 256, 1},
    {{32, 16, 16, 128}, 128, 3, 1, true, 8},
    {{64, 1, 1, 256}, 128, 1},
    {{64, 1, 1, 3136}, 128, 1},
};
inline constexpr Layer kGroupedLayers[] = {
    {{32, 28, 28, 128}, 128, 3, 1, true, 32}, {{32, 28, 28, 128}, 128, 3, 1, true, 16},
    {{32, 14, 14, 128}, 128, 3, 1, true, 32}, {{1, 14, 14, 128}, 128, 3, 1, true, 32},
    {{16, 56, 56, 64}, 64, 3, 2, true, 32},   {{32, 16, 16, 120}, 120, 3, 1, true, 30},
};
inline constexpr Layer kDepthwiseLayers[] = {
    {{32, 32, 32, 64}, 64, 3, 1, true, 64},   {{16, 112, 112, 32}, 32, 3, 1, true, 32},
    {{16, 56, 56, 64}, 64, 3, 2, true, 64},   {{32, 16, 16, 32}, 64, 3, 1, true, 32},
    {{4, 48, 48, 96}, 96, 3, 2, true, 96},    {{4, 24, 24, 144}, 144, 3, 1, true, 144},
    {{4, 12, 12, 240}, 240, 5, 1, true, 240},
};

Machine machine();

}  // namespace bench
