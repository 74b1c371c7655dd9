// The steps of losses of overlap: sums, the losses of them, the gradient.
#include <algorithm>

#include "layers/steps.hpp"
#include "losses/loss_steps.hpp"
#include "striate/error.hpp"

namespace striate::losses {

Apart overlap_axes(const std::optional<std::vector<int64_t>>& axis, const Shape& output, const std::string& owner) {
    if (!axis) return {};
    const auto rank = static_cast<int64_t>(output.size()) + 1;
    std::vector<char> summed(static_cast<size_t>(rank), 0);
    for (int64_t a : *axis) {
        const int64_t index = a < 0 ? a + rank : a;
        require(index >= 0 && index < rank, "[", owner, "] axis ", a, " is not one of the output ", with_batch(output));
        summed[static_cast<size_t>(index)] = 1;
    }
    for (int64_t i = 1; i + 1 < rank; ++i)
        require(summed[static_cast<size_t>(i)] != 0, "[", owner,
                "] axis must hold every axis between the batch and the channels of ", with_batch(output),
                ", but lacks ", i);
    return {summed.front() == 0, summed.back() == 0};
}

const char* overlap_activation(const Shape& output) {
    return output.back() > 1 ? "softmax" : "sigmoid";
}

void emit_overlap_loss(const LossContext& context, const Apart& apart, const OverlapKind& kind) {
    PlanContext& plan = context.plan;
    const Shape shape = plan.shape(context.prediction);
    const int64_t n = shape[0], c = shape.back(), pixels = element_count(shape) / (n * c);
    // Weights of pixels weigh them in the sums, those of samples weigh the samples' losses.
    const bool by_pixel = plan.shape(context.weights).size() > 1;
    const TensorId prediction = context.prediction, target = context.target, weights = context.weights,
                   value = context.value;
    kernels::OverlapArgs args{};
    args.n = n;
    args.pixels = pixels;
    args.c = c;
    args.pieces = kernels::sum_pieces(pixels, pixels * c);
    args.link = !context.logits ? kernels::Link::none : c > 1 ? kernels::Link::softmax : kernels::Link::sigmoid;
    args.labels = labels_of(kind.ignored);
    const bool labels = context.labels;
    const auto fill = [=](kernels::OverlapArgs& a, const Frame& f) {
        a.prediction = f.get(prediction);
        a.target = labels ? nullptr : f.get(target);
        a.labels.data = labels ? f.get<int64_t>(target) : nullptr;
        a.weights = by_pixel ? f.get(weights) : nullptr;
    };
    const TensorId partials = doubles(plan, n * args.pieces * 3 * c);
    plan.step(kernel_step(plan, "overlap", dispatch::kernels().overlap, args, {prediction, target, weights}, {partials},
                          [=](kernels::OverlapArgs& a, const Frame& f) {
                              fill(a, f);
                              a.partials = f.get<double>(partials);
                          }));
    kernels::OverlapMergeArgs merge{};
    merge.n = n;
    merge.c = c;
    merge.pieces = args.pieces;
    merge.each_image = apart.images;
    merge.each_channel = apart.channels;
    merge.tversky = kind.tversky;
    merge.alpha = kind.alpha;
    merge.beta = kind.beta;
    merge.loss_scale = static_cast<double>(context.scale);
    const bool wants_gradient = context.gradient.valid();
    TensorId mean, scale;
    std::vector<TensorId> writes{value};
    if (wants_gradient) {
        writes.push_back(mean = plan.create({n, c}));
        writes.push_back(scale = plan.create({n, c}));
    }
    plan.step(kernel_step(plan, "merge overlap", dispatch::kernels().overlap_merge, merge, {partials, weights}, writes,
                          [=](kernels::OverlapMergeArgs& a, const Frame& f) {
                              a.partials = f.get<double>(partials);
                              a.weights = by_pixel ? nullptr : f.get(weights);
                              a.value = f.get<double>(value);
                              a.mean = mean.valid() ? f.get(mean) : nullptr;
                              a.scale = scale.valid() ? f.get(scale) : nullptr;
                          }));
    if (!wants_gradient) return;
    const TensorId gradient = context.gradient;
    plan.step(kernel_step(plan, "loss gradient", dispatch::kernels().overlap_backward,
                          kernels::OverlapGradArgs{args, nullptr, nullptr, nullptr},
                          {prediction, target, weights, mean, scale}, {gradient},
                          [=](kernels::OverlapGradArgs& a, const Frame& f) {
                              fill(a.batch, f);
                              a.mean = f.get(mean);
                              a.scale = f.get(scale);
                              a.gradient = f.get(gradient);
                          }));
}

}  // namespace striate::losses
