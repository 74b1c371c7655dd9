// Batch normalisation at inference within the layer before it: (x * W + b - mean) * scale + beta is
// x * (W * scale) + (b - mean) * scale + beta. The weights are folded once, until a parameter changes.
#include "layers/normalization_steps.hpp"
#include "planning/kernel_call.hpp"
#include "planning/plan_builder.hpp"
#include "striate/layers/batch_normalization.hpp"

namespace striate {
namespace {

// A kernel as one map: taps, input channels and output channels, of which `along_pixels` says that they come second, as
// transposed convolutions have them.
View kernel_view(const Shape& shape, int64_t out, bool along_pixels) {
    const int64_t size = element_count(shape), rows = shape.size() == 4 ? shape[0] * shape[1] : shape[0];
    const int64_t row = size / rows, c = along_pixels ? row / out : out;
    return {1, rows, row / c, c, size, row, c};
}

}  // namespace

// The folded kernel or bias of the layer that is being planned; not valid for what the normalisation leaves alone.
TensorId PlanBuilder::folded(const std::string& parameter) {
    const bool bias = parameter == "bias";
    if (!bias && parameter != "kernel" && parameter != "pointwise_kernel") return {};
    const int norm = node().norm_layer, layer = node().graph_layer;
    const BatchNormalizationOptions& options = static_cast<const BatchNormalization&>(*node().norm).options();
    const TensorId mean = parameter_of(norm, "moving_mean");
    const int64_t c = shape(mean)[0];
    const View channels{1, 1, 1, c, c, c, c};

    Folded& made = folded_[current_];
    if (!made.scale.valid()) {
        made.scale = create({c}, {}, DType::float32);
        const TensorId gamma = options.scale ? parameter_of(norm, "gamma") : TensorId{};
        normalization::emit_fixed_statistics(*this, parameter_of(norm, "moving_variance"), gamma,
                                             static_cast<float>(options.epsilon), create({c}, {}, DType::float32),
                                             made.scale);
    }
    const TensorId scale = made.scale;
    TensorId& id = bias ? made.bias : made.kernel;
    if (id.valid()) return id;
    if (!bias) {
        const TensorId kernel = parameter_of(layer, parameter);
        const TensorId to = id = create(shape(kernel), {}, DType::float32);
        const bool transposed = node().layer->type() == "Conv2DTranspose";
        const View view = kernel_view(shape(kernel), c, transposed);
        const View factors = transposed ? View{1, 1, c, 1, c, c, 1} : channels;
        const kernels::BinaryArgs args{kernels::BinaryKind::multiply, view, factors, view, nullptr, nullptr, nullptr};
        prepare(kernel_step(*this, kernels::K::binary, "fold kernel", args,
                            {reads(args.a, kernel), reads(args.b, scale), writes(args.y, to)}));
        return id;
    }
    TensorId given;
    if (parameters_.find(layer, "bias") >= 0) {
        given = parameter_of(layer, "bias");
    } else {  // nobody writes to it: zeros
        given = create({c}, {}, DType::float32);
        storages_[tensors_[given.index].storage].forever = true;
    }
    const TensorId beta = options.center ? parameter_of(norm, "beta") : TensorId{};
    const TensorId to = id = create({c}, {}, DType::float32);
    const kernels::ChannelAffineArgs args{
        channels, channels, nullptr, nullptr, nullptr, nullptr, nullptr, 0, kernels::ActivationKind::linear};
    prepare(kernel_step(*this, kernels::K::channel_affine, "fold bias", args,
                        {reads(args.x, given), writes(args.y, to), reads(args.mean, mean), reads(args.scale, scale),
                         reads(args.shift, beta)}));
    return id;
}

}  // namespace striate
