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
    const Shape shape = context.plan.shape(context.prediction);
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

Bound bind(const LossContext& context, const LossRows& batch, TensorId normaliser = {}) {
    return {context.prediction, context.gradient, context.weights, doubles(context.plan, kernels::units(batch)),
            normaliser};
}

void emit_merge(const LossContext& context, const LossRows& batch, const Bound& bound) {
    std::vector<TensorId> reads{bound.sums};
    if (bound.normaliser.valid()) reads.push_back(bound.normaliser);
    const TensorId out = context.sums, sums = bound.sums, normaliser = bound.normaliser;
    const int64_t first = context.first_sum;
    kernels::LossMergeArgs args{};
    args.size = kernels::units(batch);
    args.rows = batch.rows;
    context.plan.step(kernel_step(context.plan, "merge loss", dispatch::kernels().loss_merge, args, reads, {out},
                                  [=](kernels::LossMergeArgs& a, const Frame& f) {
                                      a.sums = f.get<double>(sums);
                                      a.out = f.get<double>(out) + first;
                                      a.normaliser = normaliser.valid() ? f.get<double>(normaliser) : nullptr;
                                  }));
}

// The factor by which the mean is over the rows that count, whose number is known only as the step runs; invalid where
// all count.
TensorId normaliser_of(const LossContext& context, int64_t rows, const kernels::Labels& labels) {
    if (!labels.ignores) return {};
    const kernels::CountLabelsArgs count{rows, labels, nullptr};
    const int64_t pieces = kernels::units(count);
    const TensorId target = context.target, counts = doubles(context.plan, pieces),
                   normaliser = doubles(context.plan, 2);
    context.plan.step(kernel_step(context.plan, "count labels", dispatch::kernels().count_labels, count, {target},
                                  {counts}, [=](kernels::CountLabelsArgs& a, const Frame& f) {
                                      a.labels.data = f.get<int64_t>(target);
                                      a.counts = f.get<double>(counts);
                                  }));
    context.plan.step(kernel_step(context.plan, "loss normaliser", dispatch::kernels().loss_normaliser,
                                  kernels::LossNormaliserArgs{rows, pieces, nullptr, nullptr}, {counts}, {normaliser},
                                  [=](kernels::LossNormaliserArgs& a, const Frame& f) {
                                      a.counts = f.get<double>(counts);
                                      a.out = f.get<double>(normaliser);
                                  }));
    return normaliser;
}

}  // namespace

kernels::Labels labels_of(std::optional<int64_t> ignored) {
    return {nullptr, kernels::LabelType::int64, ignored.has_value(), ignored.value_or(0)};
}

TensorId doubles(PlanContext& plan, int64_t count) {
    return plan.create({2 * count}, {}, DType::float32);
}

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

namespace {

template <class T>
void check_each_label(const Array& targets, int64_t classes, std::optional<int64_t> ignored, const std::string& owner) {
    const T* labels = static_cast<const T*>(targets.data);
    for (int64_t i = 0, n = element_count(targets.shape); i < n; ++i) {
        const auto label = static_cast<int64_t>(labels[i]);
        if ((label >= 0 && label < classes) || (ignored && label == *ignored)) continue;
        fail("[", owner, "] labels must be within 0 to ", classes - 1, " for an output of ", classes, " classes, got ",
             label, " (element ", i, " of the targets)");
    }
}

}  // namespace

bool are_labels(const Array& targets, const Shape& output) {
    return targets.shape.size() == output.size() && output.size() >= 1 && output.back() > 1;
}

void check_labels(const Array& targets, const Shape& output, std::optional<int64_t> ignored, const std::string& owner) {
    switch (targets.type) {
        case DType::uint8:
            return check_each_label<uint8_t>(targets, output.back(), ignored, owner);
        case DType::int32:
            return check_each_label<int32_t>(targets, output.back(), ignored, owner);
        case DType::int64:
            return check_each_label<int64_t>(targets, output.back(), ignored, owner);
        case DType::float32:
            throw TypeError(concat("[", owner, "] labels must be integers, got float32"));
    }
}

void check_ignore_needs_labels(std::optional<int64_t> ignored, const std::string& owner) {
    require(!ignored, "[", owner,
            "] ignore_class needs class labels, integers without the last axis of the output; for one-hot targets "
            "or an output of one channel give those pixels a sample weight of 0");
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
                           const std::vector<double>& alphas, std::optional<int64_t> ignored) {
    kernels::CategoricalLossArgs args = kind;
    args.batch = rows_of(context);
    args.labels = labels_of(ignored);
    std::vector<float> each(static_cast<size_t>(args.batch.c), 1.0f);
    for (size_t i = 0; i < each.size() && !alphas.empty(); ++i)
        each[i] = static_cast<float>(alphas[alphas.size() == 1 ? 0 : i]);
    const Bound bound = bind(context, args.batch, normaliser_of(context, args.batch.rows, args.labels));
    const TensorId target = context.target;
    const bool labels = context.labels;
    context.plan.step(kernel_step(context.plan, "loss", dispatch::kernels().categorical_loss, args, bound.reads(target),
                                  bound.writes(), [=](kernels::CategoricalLossArgs& a, const Frame& f) {
                                      bound.fill(a.batch, f);
                                      a.target = labels ? nullptr : f.get(target);
                                      a.labels.data = labels ? f.get<int64_t>(target) : nullptr;
                                      a.alphas = each.data();
                                  }));
    emit_merge(context, args.batch, bound);
}

void emit_sparse_loss(const LossContext& context, std::optional<int64_t> ignored) {
    kernels::SparseLossArgs args{};
    args.batch = rows_of(context);
    args.from_logits = context.logits;
    args.labels = labels_of(ignored);
    const TensorId target = context.target;
    const Bound bound = bind(context, args.batch, normaliser_of(context, args.batch.rows, args.labels));
    context.plan.step(kernel_step(context.plan, "loss", dispatch::kernels().sparse_loss, args, bound.reads(target),
                                  bound.writes(), [=](kernels::SparseLossArgs& a, const Frame& f) {
                                      bound.fill(a.batch, f);
                                      a.labels.data = f.get<int64_t>(target);
                                  }));
    emit_merge(context, args.batch, bound);
}

}  // namespace striate::losses
