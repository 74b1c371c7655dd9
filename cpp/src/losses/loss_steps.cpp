#include "losses/loss_steps.hpp"

#include <cmath>
#include <numeric>

#include "planning/kernel_call.hpp"
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

// The step that computes the loss, and the one that adds up its sums. `more` are the bindings that are the kernel's
// own.
template <class Args, class... More>
void emit_rows(const LossContext& context, kernels::Kernel<Args> kernel, const Args& args, TensorId normaliser,
               const More&... more) {
    const LossRows& batch = args.batch;
    const int64_t size = kernels::units(batch);
    const TensorId sums = doubles(context.plan, size);
    context.plan.step(kernel_step(context.plan, kernel, "loss", args,
                                  {reads(batch.prediction, context.prediction), reads(batch.weights, context.weights),
                                   reads(batch.normaliser, normaliser), writes(batch.sums, sums),
                                   writes(batch.gradient, context.gradient), more...}));
    kernels::LossMergeArgs merge{};
    merge.size = size;
    merge.rows = batch.rows;
    context.plan.step(kernel_step(
        context.plan, kernels::K::loss_merge, "merge loss", merge,
        {reads(merge.sums, sums), reads(merge.normaliser, normaliser),
         writes(merge.out, context.sums, context.first_sum), reads(merge.bad, {}), writes(merge.first_bad, {})}));
}

// The factor by which the mean is over the rows that count, whose number is known only as the step runs; invalid where
// all count.
TensorId normaliser_of(const LossContext& context, int64_t rows, const kernels::Labels& labels) {
    if (!labels.ignores) return {};
    const kernels::CountLabelsArgs count{rows, labels, nullptr};
    const int64_t pieces = kernels::units(count);
    const TensorId counts = doubles(context.plan, pieces), normaliser = doubles(context.plan, 2);
    context.plan.step(kernel_step(context.plan, kernels::K::count_labels, "count labels", count,
                                  {reads(count.labels.data, context.target), writes(count.counts, counts)}));
    if (context.whole) {
        const double* const counted = context.whole->counted_without(labels.ignored);
        require(counted != nullptr, "a loss that ignores class ", labels.ignored, " must name it: ignored_classes()");
        const double whole_rows = context.whole->rows_per_row * static_cast<double>(rows);
        Step step;
        step.what = "loss normaliser of the whole batch";
        step.reads = {counts}, step.writes = {normaliser};
        step.run = [=](const Frame& f, int64_t, int64_t, std::byte*) {
            const double *const parts = f.get<double>(counts), own = std::accumulate(parts, parts + pieces, 0.0);
            double* const out = f.get<double>(normaliser);
            out[0] = *counted > 0 ? whole_rows / *counted : 0.0;
            out[1] = own;
        };
        context.plan.step(std::move(step));
        return normaliser;
    }
    const kernels::LossNormaliserArgs args{rows, pieces, nullptr, nullptr};
    context.plan.step(kernel_step(context.plan, kernels::K::loss_normaliser, "loss normaliser", args,
                                  {reads(args.counts, counts), writes(args.out, normaliser)}));
    return normaliser;
}

}  // namespace

kernels::Labels labels_of(std::optional<int64_t> ignored) {
    return {nullptr, kernels::LabelType::int64, ignored.has_value(), ignored.value_or(0)};
}

TensorId doubles(PlanContext& plan, int64_t count) {
    return plan.create({count}, {}, DType::float64);
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
    const auto to_double = [](auto value) { return static_cast<double>(value); };
    const auto check = [&](const auto* values, const auto& number) {
        for (int64_t i = 0; i < count; ++i) {
            const double v = number(values[i]);
            require(!(v < 0.0 || v > 1.0), "[", owner, "] targets must be within 0 to 1, got ", v, " (element ", i,
                    ")");
        }
    };
    switch (targets.type) {
        case DType::float32:
            return check(static_cast<const float*>(targets.data), to_double);
        case DType::uint8:
            return check(static_cast<const uint8_t*>(targets.data), to_double);
        case DType::int32:
            return check(static_cast<const int32_t*>(targets.data), to_double);
        case DType::int64:
            return check(static_cast<const int64_t*>(targets.data), to_double);
        case DType::float64:
            return check(static_cast<const double*>(targets.data), to_double);
        case DType::bfloat16:
            return check(static_cast<const uint16_t*>(targets.data),
                         [&](uint16_t bits) { return to_double(bfloat16_to_float(bits)); });
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
        case DType::float64:
        case DType::bfloat16:
            throw TypeError(concat("[", owner, "] labels must be integers, got ", name_of(targets.type)));
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
    emit_rows(context, kernels::K::element_loss, args, {}, reads(args.target, context.target));
}

void emit_categorical_loss(const LossContext& context, const kernels::CategoricalLossArgs& kind,
                           const std::vector<double>& alphas, std::optional<int64_t> ignored) {
    kernels::CategoricalLossArgs args = kind;
    args.batch = rows_of(context);
    args.labels = labels_of(ignored);
    std::vector<float> each(static_cast<size_t>(args.batch.c), 1.0f);
    for (size_t i = 0; i < each.size() && !alphas.empty(); ++i)
        each[i] = static_cast<float>(alphas[alphas.size() == 1 ? 0 : i]);
    const TensorId none, normaliser = normaliser_of(context, args.batch.rows, args.labels);
    const TensorId factors = args.focal ? context.plan.constant(each.data(), {args.batch.c}, DType::float32) : none;
    emit_rows(context, kernels::K::categorical_loss, args, normaliser,
              reads(args.target, context.labels ? none : context.target),
              reads(args.labels.data, context.labels ? context.target : none), reads(args.alphas, factors));
}

void emit_sparse_loss(const LossContext& context, std::optional<int64_t> ignored) {
    kernels::SparseLossArgs args{};
    args.batch = rows_of(context);
    args.from_logits = context.logits;
    args.labels = labels_of(ignored);
    const TensorId normaliser = normaliser_of(context, args.batch.rows, args.labels);
    emit_rows(context, kernels::K::sparse_loss, args, normaliser, reads(args.labels.data, context.target),
              writes(args.bad, {}));
}

}  // namespace striate::losses
