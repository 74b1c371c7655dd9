// The steps of losses of overlap: sums, the losses of them, the gradient.
#include <algorithm>

#include "kernels/overlap_index.hpp"
#include "layers/steps.hpp"
#include "losses/loss_steps.hpp"
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
    const TensorId prediction = context.prediction, target = context.target, weights = context.weights,
                   sums = context.sums;
    const int64_t first_sum = context.first_sum;
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
    merge.index = kind.index;
    merge.loss_scale = static_cast<double>(context.scale);
    const bool wants_gradient = context.gradient.valid();
    TensorId mean, scale;
    std::vector<TensorId> writes{sums};
    if (wants_gradient) {
        writes.push_back(mean = plan.create({n, c}));
        writes.push_back(scale = plan.create({n, c}));
    }
    plan.step(kernel_step(plan, "merge overlap", dispatch::kernels().overlap_merge, merge, {partials, weights}, writes,
                          [=](kernels::OverlapMergeArgs& a, const Frame& f) {
                              a.partials = f.get<double>(partials);
                              a.weights = by_pixel ? nullptr : f.get(weights);
                              a.out = f.get<double>(sums) + first_sum;
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
