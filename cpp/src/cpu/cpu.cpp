#include "cpu/cpu.hpp"

#include "cpu/dispatch.hpp"

namespace striate {

Machine Machine::of(int lanes) {
#if defined(__aarch64__)
    return {lanes, true};
#else
    return {lanes, lanes == 16};
#endif
}

const kernels::Table& Cpu::table() const {
    return dispatch::kernels();
}

// About what two cores have of second cache; not what this machine has, so that sums are the same on all.
constexpr double kNearBytes = 3 << 20;

// Less than the second cache of a core, beside weights and what the chain reads and writes. Smaller maps stay near
// between two steps anyway, where each thread has its share of them.
constexpr double kBandBytes = 384 << 10, kBandMaps = 1 << 20;

Rules Cpu::rules() const {
    Rules rules{Machine::of(table().vector_width)};
    rules.near_bytes = kNearBytes;
    rules.band_bytes = kBandBytes;
    rules.band_maps = kBandMaps;
    return rules;
}

const Cpu& cpu() {
    static const Cpu device;
    return device;
}

}  // namespace striate
