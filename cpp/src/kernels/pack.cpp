// Weights into panels, as conv reads them.
#include "kernels/pack.hpp"

namespace striate::kernels::STRIATE_ISA {

void pack_weights(const PackArgs& a, int64_t begin, int64_t end) {
    const int64_t panels = (a.channels + a.panel - 1) / a.panel, taps = a.rows * a.cols;
    for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t tap = unit % taps, panel = unit / taps % panels, group = unit / taps / panels;
        pack_tap(a, a.src + a.src_offset + group * a.s_group, panel, tap, a.dst + unit * a.depth * a.panel);
    }
}

}  // namespace striate::kernels::STRIATE_ISA
