#include "losses/loss_steps.hpp"

#include <algorithm>
#include <cmath>

#include "layers/steps.hpp"
#include "striate/error.hpp"

namespace striate::losses {
namespace {

using kernels::LossRows;

// The rows of a loss: sizes, and what a row counts in the mean.
LossRows rows_of(const LossContext& context) {
    const Shape& shape = context.plan.shape(context.prediction);
    LossRows batch{};
    batch.c = shape.back();
    batch.rows = element_count(shape) / batch.c;
    batch.rows_per_weight = batch.rows / element_count(context.plan.shape(context.weights));
    batch.scale = static_cast<double>(context.scale) / static_cast<double>(batch.rows);
    return batch;
}

// What a step binds at run time.
struct Bound {
    TensorId prediction, gradient, weights, sums, normaliser;

    void fill(LossRows& batch, const Frame& f) const {
        batch.prediction = f.get(prediction);
        batch.gradient = gradient.valid() ? f.get(gradient) : nullptr;
        batch.weights = f.get(weights);
        batch.sums = f.get<double>(sums);
        batch.normaliser = normaliser.valid() ? f.get<double>(normaliser) : nullptr;
    }
    std::vector<TensorId> reads(TensorId target) const {
        std::vector<TensorId> list{prediction, target, weights};
        if (normaliser.valid()) list.push_back(normaliser);
        return list;
    }
    std::vector<TensorId> writes() const {
        std::vector<TensorId> list{sums};
        if (gradient.valid()) list.push_back(gradient);
        return list;
    }
};

TensorId doubles(PlanContext& plan, int64_t count) {
    return plan.create({2 * count}, {}, DType::float32);
}

Bound bind(const LossContext& context, const LossRows& batch, TensorId normaliser = {}) {
    return {context.prediction, context.gradient, context.weights, doubles(context.plan, kernels::units(batch)),
            normaliser};
}

void emit_merge(const LossContext& context, const LossRows& batch, const Bound& bound) {
    std::vector<TensorId> reads{bound.sums};
    if (bound.normaliser.valid()) reads.push_back(bound.normaliser);
    const TensorId value = context.value, sums = bound.sums, normaliser = bound.normaliser;
    kernels::LossMergeArgs args{};
    args.size = kernels::units(batch);
    args.scale = batch.scale;
    context.plan.step(kernel_step(context.plan, "merge loss", dispatch::kernels().loss_merge, args, reads, {value},
                                  [=](kernels::LossMergeArgs& a, const Frame& f) {
                                      a.sums = f.get<double>(sums);
                                      a.value = f.get<double>(value);
                                      a.normaliser = normaliser.valid() ? f.get<double>(normaliser) : nullptr;
                                  }));
}

}  // namespace

void check_smoothing(double label_smoothing, const std::string& owner) {
    require(label_smoothing >= 0.0 && label_smoothing <= 1.0, "[", owner,
            "] label_smoothing must be within 0 to 1, got ", label_smoothing);
}

void check_at_least_zero(double value, const char* argument, const std::string& owner) {
    require(value >= 0.0 && std::isfinite(value), "[", owner, "] ", argument, " must be a number of at least 0, got ",
            value);
}

void check_probabilities(const Array& targets, const std::string& owner) {
    const int64_t count = element_count(targets.shape);
    const auto check = [&](const auto* values) {
        for (int64_t i = 0; i < count; ++i) {
            const auto v = static_cast<double>(values[i]);
            require(!(v < 0.0 || v > 1.0), "[", owner, "] targets must be within 0 to 1, got ", v, " (element ", i,
                    ")");
        }
    };
    switch (targets.type) {
        case DType::float32:
            return check(static_cast<const float*>(targets.data));
        case DType::uint8:
            return check(static_cast<const uint8_t*>(targets.data));
        case DType::int32:
            return check(static_cast<const int32_t*>(targets.data));
        case DType::int64:
            return check(static_cast<const int64_t*>(targets.data));
    }
}

void check_classes(const Shape& output, const std::string& owner, const std::string& layer) {
    require(output.back() >= 2, "[", owner, "] needs an output with a number for each of at least two classes, but [",
            layer, "] gives ", with_batch(output), "; for two classes in one number use BinaryCrossentropy");
}

void emit_element_loss(const LossContext& context, const kernels::ElementLossArgs& kind) {
    kernels::ElementLossArgs args = kind;
    args.batch = rows_of(context);
    const Bound bound = bind(context, args.batch);
    const TensorId target = context.target;
    context.plan.step(kernel_step(context.plan, "loss", dispatch::kernels().element_loss, args, bound.reads(target),
                                  bound.writes(), [=](kernels::ElementLossArgs& a, const Frame& f) {
                                      bound.fill(a.batch, f);
                                      a.target = f.get(target);
                                  }));
    emit_merge(context, args.batch, bound);
}

void emit_categorical_loss(const LossContext& context, const kernels::CategoricalLossArgs& kind,
                           const std::vector<double>& alphas) {
    kernels::CategoricalLossArgs args = kind;
    args.batch = rows_of(context);
    std::vector<float> each(static_cast<size_t>(args.batch.c), 1.0f);
    for (size_t i = 0; i < each.size() && !alphas.empty(); ++i)
        each[i] = static_cast<float>(alphas[alphas.size() == 1 ? 0 : i]);
    const Bound bound = bind(context, args.batch);
    const TensorId target = context.target;
    context.plan.step(kernel_step(context.plan, "loss", dispatch::kernels().categorical_loss, args, bound.reads(target),
                                  bound.writes(), [=](kernels::CategoricalLossArgs& a, const Frame& f) {
                                      bound.fill(a.batch, f);
                                      a.target = f.get(target);
                                      a.alphas = each.data();
                                  }));
    emit_merge(context, args.batch, bound);
}

void emit_sparse_loss(const LossContext& context, std::optional<int64_t> ignored) {
    kernels::SparseLossArgs args{};
    args.batch = rows_of(context);
    args.from_logits = context.logits;
    args.labels = {nullptr, kernels::LabelType::int64, ignored.has_value(), ignored.value_or(0)};
    const TensorId target = context.target;
    TensorId normaliser;
    if (ignored) {
        // The mean is over the rows that count, whose number is known only now.
        const kernels::CountLabelsArgs count{args.batch.rows, args.labels, nullptr};
        const int64_t pieces = kernels::units(count);
        const TensorId counts = doubles(context.plan, pieces);
        normaliser = doubles(context.plan, 1);
        context.plan.step(kernel_step(context.plan, "count labels", dispatch::kernels().count_labels, count, {target},
                                      {counts}, [=](kernels::CountLabelsArgs& a, const Frame& f) {
                                          a.labels.data = f.get<int64_t>(target);
                                          a.counts = f.get<double>(counts);
                                      }));
        context.plan.step(kernel_step(context.plan, "loss normaliser", dispatch::kernels().loss_normaliser,
                                      kernels::LossNormaliserArgs{args.batch.rows, pieces, nullptr, nullptr}, {counts},
                                      {normaliser},
                                      [=, n = normaliser](kernels::LossNormaliserArgs& a, const Frame& f) {
                                          a.counts = f.get<double>(counts);
                                          a.out = f.get<double>(n);
                                      }));
    }
    const Bound bound = bind(context, args.batch, normaliser);
    context.plan.step(kernel_step(context.plan, "loss", dispatch::kernels().sparse_loss, args, bound.reads(target),
                                  bound.writes(), [=](kernels::SparseLossArgs& a, const Frame& f) {
                                      bound.fill(a.batch, f);
                                      a.labels.data = f.get<int64_t>(target);
                                  }));
    emit_merge(context, args.batch, bound);
}

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

void emit_overlap_loss(const LossContext& context, const Apart& apart, bool tversky, double alpha, double beta,
                       const std::string& owner) {
    PlanContext& plan = context.plan;
    const Shape& shape = plan.shape(context.prediction);
    const int64_t n = shape[0], c = shape.back(), pixels = element_count(shape) / (n * c);
    require(element_count(plan.shape(context.weights)) == n, "[", owner,
            "] takes one weight for each sample, got weights of shape ", to_string(plan.shape(context.weights)));
    const int64_t pieces = kernels::sum_pieces(pixels, pixels * c);
    const TensorId prediction = context.prediction, target = context.target, weights = context.weights,
                   value = context.value;
    const TensorId partials = doubles(plan, n * pieces * 3 * c);
    plan.step(kernel_step(plan, "overlap", dispatch::kernels().overlap,
                          kernels::OverlapArgs{n, pixels, c, pieces, nullptr, nullptr, nullptr}, {prediction, target},
                          {partials}, [=](kernels::OverlapArgs& a, const Frame& f) {
                              a.prediction = f.get(prediction);
                              a.target = f.get(target);
                              a.partials = f.get<double>(partials);
                          }));
    kernels::OverlapMergeArgs merge{};
    merge.n = n;
    merge.c = c;
    merge.pieces = pieces;
    merge.each_image = apart.images;
    merge.each_channel = apart.channels;
    merge.tversky = tversky;
    merge.alpha = alpha;
    merge.beta = beta;
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
                              a.weights = f.get(weights);
                              a.value = f.get<double>(value);
                              a.mean = mean.valid() ? f.get(mean) : nullptr;
                              a.scale = scale.valid() ? f.get(scale) : nullptr;
                          }));
    if (!wants_gradient) return;
    const TensorId gradient = context.gradient;
    const View view{n, 1, pixels, c, pixels * c, pixels * c, c};
    plan.step(kernel_step(plan, "loss gradient", dispatch::kernels().channel_affine,
                          kernels::ChannelAffineArgs{view, view, nullptr, nullptr, nullptr, nullptr, nullptr, c, false},
                          {target, mean, scale}, {gradient}, [=](kernels::ChannelAffineArgs& a, const Frame& f) {
                              a.x = f.get(target);
                              a.y = f.get(gradient);
                              a.mean = f.get(mean);
                              a.scale = f.get(scale);
                          }));
}

}  // namespace striate::losses
