// From a convolution's shapes to kernel arguments: what Conv2D, Conv2DTranspose, DepthwiseConv2D, SeparableConv2D and
// Dense share.
#pragma once

#include <vector>

#include "device/rules.hpp"
#include "kernels/args_conv.hpp"
#include "kernels/args_pooled_conv.hpp"
#include "striate/config.hpp"
#include "striate/plan.hpp"
#include "striate/view.hpp"

namespace striate::convolution {

// A convolution from an input map to an output map with a kernel (height, width, in channels / groups, out channels). A
// transposed convolution is the same thing walked backwards: its output is `in`.
struct Problem {
    int64_t in_h = 1, in_w = 1, in_c = 1;
    int64_t out_h = 1, out_w = 1, out_c = 1;
    Pair kernel, stride, dilation;
    int64_t groups = 1;
    int64_t pad_top = 0, pad_left = 0;
};

// Output size and padding in front, as Keras and TensorFlow define them: "same" gives ceil(in / stride) and puts the
// odd row of padding behind. 0 when the kernel is larger than the image.
int64_t output_size(int64_t in, int64_t kernel, int64_t stride, int64_t dilation, bool same);
int64_t padding_before(int64_t in, int64_t kernel, int64_t stride, int64_t dilation, bool same);

// The zeros that the kernels read around the input map (forward, to weights) and around the gradient of the output map
// (to input).
Halo input_halo(const Problem& p);
Halo output_halo(const Problem& p);

// Throws ValueError when these zeros take memory out of proportion to the maps.
void check_halos(const Problem& p, const std::string& owner);

// Which rows of the input a row of the output reads.
inline RowMap row_map(const Problem& p) {
    return {p.stride.h, (p.kernel.h - 1) * p.dilation.h + 1, p.pad_top};
}

// One call of the kernel `conv` and the packing of its weights. Pointers to be filled in: conv.x, conv.y, conv.bias,
// and pack.src, pack.dst = conv.weights or, when `direct`, conv.weights alone, which is then the layer's own kernel.
struct Lowered {
    kernels::ConvArgs conv;
    kernels::PackArgs pack;
    bool direct;
    int64_t packed_floats;
};

// A rectangle of the map that a direction ends in.
struct Part {
    int64_t top, left, h, w;
};

// `part` of the output, all of it when null.
Lowered forward(const Problem& p, const View& x, const View& y, const Machine& machine, bool weights_stay = false,
                const Part* part = nullptr);

// The maxima of 2 x 2 windows of the output side by side, to y, in parts whose outputs wait in the scratch memory of a
// thread. Pointers to be filled in: args.x, args.weights, args.bias, args.y, args.places, args.scratch, and pack.src
// and pack.dst of `sums`.
struct LoweredPooled {
    kernels::PooledConvArgs args;
    Lowered sums;
    int64_t scratch_floats;  // for each thread
};
LoweredPooled pooled(const Problem& p, const View& x, const View& y, const Machine& machine, bool relu);

// The gradient with respect to the input, from that of the output: one call for each phase of the stride. Together they
// write every element of dx.
// For stride 1, `part` of dx.
std::vector<Lowered> to_input(const Problem& p, const View& dy, const View& dx, const Machine& machine,
                              const Part* part = nullptr);

// A dense layer's gradient to input for few rows and large weights: rows of weights take the place of pixels, and the
// gradient of the output, which is small, is what is packed. conv.x is the layer's kernel, pack.src is dy, conv.y is
// dx.
bool prefers_turned(const Problem& p, const View& dy, const View& dx);
Lowered to_input_turned(const Problem& p, const View& dy, const View& dx, const Machine& machine);

// The gradient with respect to the kernel. Pointers to be filled in: weights.x, weights.dy, weights.scratch, and
// weights.slots = sum.slots, sum.out or, when `direct`, weights.slots alone, which is then the gradient itself.
struct LoweredWeights {
    kernels::ConvWeightArgs weights;
    kernels::SlotSumArgs sum;
    bool direct;
    int64_t slot_floats;
    int64_t scratch_floats;  // for each thread
};
LoweredWeights to_weights(const Problem& p, const View& x, const View& dy, const Machine& machine);

// The gradient with respect to kernel and bias where the output's 2 x 2 maxima alone have gradients, `dy` with views of
// whole windows. Pointers to be filled in: those of `weights`, whose slots and bias are what `sum` and `bias` add up.
struct LoweredMaximaWeights {
    kernels::MaximaWeightArgs weights;
    kernels::SlotSumArgs sum, bias;
    int64_t slot_floats, bias_floats;
    int64_t scratch_floats;  // for each thread
};
bool maxima_fit(const Problem& p);
LoweredMaximaWeights maxima_to_weights(const Problem& p, const View& x, const View& dy);

// The same for depthwise convolutions, whose kernel is (height, width, in_c, out_c / in_c). No weights are packed.
kernels::DepthwiseArgs depthwise_forward(const Problem& p, const View& x, const View& y);
std::vector<kernels::DepthwiseArgs> depthwise_to_input(const Problem& p, const View& dy, const View& dx);
// With pointers as in LoweredWeights, never direct.
struct LoweredDepthwiseWeights {
    kernels::DepthwiseWeightArgs weights;
    kernels::SlotSumArgs sum;
    int64_t slot_floats;
};
LoweredDepthwiseWeights depthwise_to_weights(const Problem& p, const View& x, const View& dy);

}  // namespace striate::convolution
