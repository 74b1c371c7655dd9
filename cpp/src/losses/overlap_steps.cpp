// The steps of losses of overlap: sums, the losses of them, the gradient.
#include <algorithm>

#include "kernels/overlap_index.hpp"
#include "losses/loss_steps.hpp"
#include "planning/kernel_call.hpp"
#include "striate/error.hpp"

namespace striate::losses {

namespace {

bool holds(const std::vector<int64_t>& axis, int64_t index, int64_t rank) {
    return std::any_of(axis.begin(), axis.end(), [&](int64_t a) { return a == index || a + rank == index; });
}

// For axes that check_overlap_axes() has passed. It allocates nothing: each step needs it.
Apart apart_of(const std::optional<std::vector<int64_t>>& axis, const Shape& output) {
    if (!axis) return {};
    const auto rank = static_cast<int64_t>(output.size()) + 1;
    return {!holds(*axis, 0, rank), !holds(*axis, rank - 1, rank)};
}

}  // namespace

void check_overlap_axes(const std::optional<std::vector<int64_t>>& axis, const Shape& output,
                        const std::string& owner) {
    if (!axis) return;
    const auto rank = static_cast<int64_t>(output.size()) + 1;
    for (int64_t a : *axis)
        require(a >= -rank && a < rank, "[", owner, "] axis ", a, " is not one of the output ", with_batch(output));
    for (int64_t i = 1; i + 1 < rank; ++i)
        require(holds(*axis, i, rank), "[", owner, "] axis must hold every axis between the batch and the channels of ",
                with_batch(output), ", but lacks ", i);
}

const char* overlap_activation(const Shape& output) {
    return output.back() > 1 ? "softmax" : "sigmoid";
}

int64_t overlap_sum_count(const OverlapKind& kind, const Shape& output) {
    const Apart apart = apart_of(kind.axis, output);
    return apart.images ? 2 : 2 + 3 * (apart.channels ? output.back() : 1);
}

double overlap_value(const OverlapKind& kind, const double* sums, const Shape& output) {
    if (sums[1] == 0.0) return 0.0;
    const double mean = sums[0] / sums[1];
    const Apart apart = apart_of(kind.axis, output);
    if (apart.images) return mean;
    const int64_t channels = apart.channels ? output.back() : 1;
    double total = 0.0;
    for (int64_t c = 0; c < channels; ++c) {
        const double* three = sums + 2 + 3 * c;
        total += 1.0 - kernels::overlap_index(kind.index, three[0], three[1], three[2]).index;
    }
    return mean * total / static_cast<double>(channels);
}

void emit_overlap_loss(const LossContext& context, const OverlapKind& kind) {
    PlanContext& plan = context.plan;
    const Shape shape = plan.shape(context.prediction);
    const Apart apart = apart_of(kind.axis, Shape(shape.begin() + 1, shape.end()));
    const int64_t n = shape[0], c = shape.back(), pixels = element_count(shape) / (n * c);
    // Weights of pixels weigh them in the sums, those of samples weigh the samples' losses.
    const bool by_pixel = plan.shape(context.weights).size() > 1;
    kernels::OverlapArgs args{};
    args.n = n;
    args.pixels = pixels;
    args.c = c;
    args.pieces = kernels::sum_pieces(pixels, pixels * c);
    args.link = !context.logits ? kernels::Link::none : c > 1 ? kernels::Link::softmax : kernels::Link::sigmoid;
    args.labels = labels_of(kind.ignored);
    const TensorId none, target = context.labels ? none : context.target,
                         labels = context.labels ? context.target : none;
    const TensorId pixel_weights = by_pixel ? context.weights : none, weights = by_pixel ? none : context.weights;
    const TensorId partials = doubles(plan, n * args.pieces * 3 * c);
    plan.step(kernel_step(
        plan, kernels::K::overlap, "overlap", args,
        {reads(args.prediction, context.prediction), reads(args.target, target), reads(args.labels.data, labels),
         reads(args.weights, pixel_weights), writes(args.partials, partials)}));
    kernels::OverlapMergeArgs merge{};
    merge.n = n;
    merge.c = c;
    merge.pieces = args.pieces;
    merge.each_image = apart.images;
    merge.each_channel = apart.channels;
    merge.index = kind.index;
    merge.loss_scale = static_cast<double>(context.scale);
    const bool wants_gradient = context.gradient.valid();
    const TensorId mean = wants_gradient ? plan.create({n, c}) : none,
                   scale = wants_gradient ? plan.create({n, c}) : none;
    plan.step(kernel_step(
        plan, kernels::K::overlap_merge, "merge overlap", merge,
        {reads(merge.partials, partials), reads(merge.weights, weights),
         writes(merge.out, context.sums, context.first_sum), writes(merge.mean, mean), writes(merge.scale, scale)}));
    if (!wants_gradient) return;
    const kernels::OverlapGradArgs grad{args, nullptr, nullptr, nullptr};
    plan.step(kernel_step(plan, kernels::K::overlap_backward, "loss gradient", grad,
                          {reads(grad.batch.prediction, context.prediction), reads(grad.batch.target, target),
                           reads(grad.batch.labels.data, labels), reads(grad.batch.weights, pixel_weights),
                           reads(grad.mean, mean), reads(grad.scale, scale), writes(grad.gradient, context.gradient)}));
}

}  // namespace striate::losses
