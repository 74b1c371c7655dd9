// From a grouped convolution's shapes to kernel arguments, where groups are so narrow that a vector covers whole
// groups.
#pragma once

#include <vector>

#include "cpu/convolution.hpp"
#include "kernels/args_grouped.hpp"

namespace striate::convolution {

// As many output as input channels a group, a power of two of them, less than a vector; or a vector, where the map is
// wide and the kernel has several taps.
bool groups_fit(const Problem& p, const Machine& machine);

// Pointers to be filled in: conv.x, conv.y, conv.bias, and pack.src, pack.dst = conv.weights.
struct GroupedForward {
    kernels::GroupedConvArgs conv;
    kernels::PackArgs pack;
    int64_t packed_floats;
};
GroupedForward grouped_forward(const Problem& p, const View& x, const View& y, const Machine& machine);

// One call for each phase of the stride, as to_input() has them. conv.x is dy and conv.y is dx.
struct GroupedToInput {
    kernels::GroupedConvArgs conv;
    kernels::GroupedPackArgs pack;
    int64_t packed_floats;
};
std::vector<GroupedToInput> grouped_to_input(const Problem& p, const View& dy, const View& dx, const Machine& machine);

// Pointers to be filled in: weights.x, weights.dy, and weights.slots = sum.slots, sum.out or, when `direct`,
// weights.slots alone, which is then the gradient itself.
struct GroupedToWeights {
    kernels::GroupedWeightArgs weights;
    kernels::SlotSumArgs sum;
    bool direct;
    int64_t slot_floats;
};
GroupedToWeights grouped_to_weights(const Problem& p, const View& x, const View& dy, const Machine& machine);

}  // namespace striate::convolution
