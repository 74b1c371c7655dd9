#include "striate/losses/detection_loss.hpp"

#include <algorithm>
#include <cmath>

#include "losses/loss_steps.hpp"
#include "planning/kernel_call.hpp"
#include "striate/error.hpp"

namespace striate {

DetectionLoss::DetectionLoss(Options options) : LossOf(std::move(options)) {
    losses::check_at_least_zero(options_.gamma, "gamma", kType);
    losses::check_at_least_zero(options_.box_weight, "box_weight", kType);
    losses::check_at_least_zero(options_.class_weight, "class_weight", kType);
    losses::check_at_least_zero(options_.size_limit, "size_limit", kType);
    losses::check_at_least_zero(options_.radius, "radius", kType);
    require(!options_.alpha || (*options_.alpha >= 0.0 && *options_.alpha <= 1.0), "[", kType,
            "] alpha must be within 0 to 1, or null, got ", options_.alpha.value_or(0.0));
    require(options_.box_loss == "giou" || options_.box_loss == "ciou", "[", kType,
            "] box_loss must be 'giou' or 'ciou', got '", options_.box_loss, "'");
    require(options_.max_boxes >= 1 && options_.max_boxes <= 1000000, "[", kType,
            "] max_boxes must be within 1 to 1000000, got ", options_.max_boxes);
    check_strides(options_.strides, kType);
}

Shape DetectionLoss::target_shape(const Shape& output, const std::string& layer) const {
    detection_maps(output, options_.strides, concat(kType, " of ", layer));
    return {options_.max_boxes, 5};
}

void DetectionLoss::check_targets(const Array& targets, const Shape& output) const {
    if (targets.type != DType::float32)
        throw TypeError(concat("[", kType, "] expects targets of float32, got ", name_of(targets.type)));
    const int64_t classes = output.back() - 5, rows = element_count(targets.shape) / 5;
    const auto* row = static_cast<const float*>(targets.data);
    for (int64_t i = 0; i < rows; ++i, row += 5) {
        if (row[4] == -1.0f) continue;
        const float label = row[4] < 0.0f ? -2.0f - row[4] : row[4];
        const int64_t image = i / options_.max_boxes;
        require(label >= 0.0f && label < static_cast<float>(classes) && label == std::floor(label), "[", kType,
                "] labels must be whole numbers within 0 to ", classes - 1, " for an output of ", classes,
                " class(es), got ", row[4], " (image ", image, ")");
        bool finite = true;
        for (int k = 0; k < 4; ++k) finite = finite && std::isfinite(row[k]);
        require(finite && row[2] > row[0] && row[3] > row[1], "[", kType,
                "] boxes must be finite with x2 > x1 and y2 > y1, got (", row[0], ", ", row[1], ", ", row[2], ", ",
                row[3], ") (image ", image, ")");
    }
}

void DetectionLoss::emit(const LossContext& context) const {
    PlanContext& plan = context.plan;
    const Shape shape = plan.shape(context.prediction);  // a copy: create() moves shapes
    const int64_t n = shape[0];
    const DetectionMaps maps = detection_maps(Shape(shape.begin() + 1, shape.end()), options_.strides, kType);
    require(element_count(plan.shape(context.weights)) == n, "[", kType,
            "] sample_weight must be (N,), one weight for each image, got shape ",
            to_string(plan.shape(context.weights)));
    const kernels::DetectionGrid grid{maps.levels, maps.height, maps.width, maps.stride};
    const TensorId assigned = plan.create({n, maps.locations()}, {}, DType::int32);
    const TensorId counts = losses::doubles(plan, n);
    const kernels::DetectionAssignArgs assign{
        grid, n, options_.max_boxes, nullptr, options_.size_limit, options_.radius, nullptr, nullptr};
    plan.step(kernel_step(
        plan, kernels::K::detection_assign, "assign boxes", assign,
        {reads(assign.targets, context.target), writes(assign.assigned, assigned), writes(assign.counts, counts)}));
    kernels::DetectionLossArgs args{};
    args.grid = grid;
    args.n = n, args.boxes = options_.max_boxes, args.c = shape.back();
    args.complete = options_.box_loss == "ciou";
    args.balanced = options_.alpha.has_value();
    args.gamma = static_cast<float>(options_.gamma);
    args.alpha = static_cast<float>(options_.alpha.value_or(0.5));
    args.box_weight = options_.box_weight, args.class_weight = options_.class_weight;
    args.scale = static_cast<double>(context.scale);
    const int64_t pieces = kernels::units(args);
    const TensorId sums = losses::doubles(plan, pieces);
    plan.step(
        kernel_step(plan, kernels::K::detection_loss, "loss", args,
                    {reads(args.prediction, context.prediction), reads(args.targets, context.target),
                     reads(args.assigned, assigned), reads(args.counts, counts), reads(args.weights, context.weights),
                     writes(args.gradient, context.gradient), writes(args.sums, sums)}));
    const kernels::DetectionMergeArgs merge{pieces, n, nullptr, nullptr, nullptr};
    plan.step(kernel_step(
        plan, kernels::K::detection_merge, "merge loss", merge,
        {reads(merge.sums, sums), reads(merge.counts, counts), writes(merge.out, context.sums, context.first_sum)}));
}

double DetectionLoss::value(const double* sums, const Shape&) const {
    return sums[0] / std::max(sums[1], 1.0);
}

}  // namespace striate
