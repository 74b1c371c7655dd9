#include "striate/losses/detection_loss.hpp"

#include <algorithm>
#include <cmath>

#include "layers/steps.hpp"
#include "losses/loss_steps.hpp"
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
            "] takes one weight for each image, got weights of shape ", to_string(plan.shape(context.weights)));
    const kernels::DetectionGrid grid{maps.levels, maps.height, maps.width, maps.stride};
    const TensorId prediction = context.prediction, target = context.target, weights = context.weights,
                   gradient = context.gradient;
    const TensorId assigned = plan.create({n, maps.locations()}, {}, DType::int32);
    const TensorId counts = plan.create({n, 2});  // doubles
    const kernels::DetectionAssignArgs assign{
        grid, n, options_.max_boxes, nullptr, options_.size_limit, options_.radius, nullptr, nullptr};
    plan.step(kernel_step(plan, "assign boxes", dispatch::kernels().detection_assign, assign, {target},
                          {assigned, counts}, [=](kernels::DetectionAssignArgs& a, const Frame& f) {
                              a.targets = f.get(target);
                              a.assigned = f.get<int32_t>(assigned);
                              a.counts = f.get<double>(counts);
                          }));
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
    const TensorId sums = plan.create({pieces, 2});  // doubles
    std::vector<TensorId> writes{sums};
    if (gradient.valid()) writes.push_back(gradient);
    plan.step(kernel_step(plan, "loss", dispatch::kernels().detection_loss, args,
                          {prediction, target, assigned, counts, weights}, writes,
                          [=](kernels::DetectionLossArgs& a, const Frame& f) {
                              a.prediction = f.get(prediction);
                              a.targets = f.get(target);
                              a.assigned = f.get<int32_t>(assigned);
                              a.counts = f.get<double>(counts);
                              a.weights = f.get(weights);
                              a.gradient = gradient.valid() ? f.get(gradient) : nullptr;
                              a.sums = f.get<double>(sums);
                          }));
    const TensorId out = context.sums;
    Step merge;
    merge.what = "merge loss";
    merge.reads = {sums, counts};
    merge.writes = {out};
    merge.bytes = 8.0 * static_cast<double>(pieces + n + 2);
    merge.run = [=, first = context.first_sum](const Frame& f, int64_t, int64_t, std::byte*) {
        double total = 0.0, answering = 0.0;
        for (int64_t i = 0; i < pieces; ++i) total += f.get<double>(sums)[i];
        for (int64_t i = 0; i < n; ++i) answering += f.get<double>(counts)[i];
        // The kernel has divided by the batch's number.
        f.get<double>(out)[first] = total * std::max(answering, 1.0);
        f.get<double>(out)[first + 1] = answering;
    };
    plan.step(std::move(merge));
}

double DetectionLoss::value(const double* sums, const Shape&) const {
    return sums[0] / std::max(sums[1], 1.0);
}

}  // namespace striate
