#include "layers/merging.hpp"

#include <algorithm>

#include "planning/kernel_call.hpp"
#include "striate/error.hpp"

namespace striate::merging {
namespace {

// One sum for each element of the input, of gradient or of gradient * other.
void emit_reduce(BackwardContext& plan, size_t index, TensorId gradient, TensorId other, float factor) {
    const TensorId dx = plan.input_gradient(index);
    kernels::ReduceBroadcastArgs args{};
    args.view_dy = plan.view(gradient);
    args.view_other = other.valid() ? plan.view(other) : args.view_dy;
    args.view_out = plan.view(dx);
    args.factor = factor;
    plan.step(kernel_step(plan, kernels::K::reduce_broadcast, "sum over broadcast axes", args,
                          {reads(args.dy, gradient), reads(args.other, other), writes(args.out, dx)}));
}

}  // namespace

Shape infer(const std::vector<Shape>& inputs, size_t most, const std::string& owner) {
    require(inputs.size() >= 2 && inputs.size() <= most, "[", owner, "] expects ", most == 2 ? "two" : "at least two",
            " inputs, got ", inputs.size());
    Shape common = inputs[0];
    for (const Shape& shape : inputs) {
        bool fits = shape.size() == common.size();
        for (size_t i = 0; fits && i < shape.size(); ++i) {
            fits = shape[i] == common[i] || shape[i] == 1 || common[i] == 1;
            common[i] = std::max(common[i], shape[i]);
        }
        require(fits, "[", owner, "] inputs must have the same shape except for axes of size 1, got ",
                with_batch(inputs[0]), " and ", with_batch(shape));
    }
    return common;
}

void emit_binary(PlanContext& plan, const char* what, kernels::BinaryKind kind, TensorId a, TensorId b, TensorId y,
                 float scale) {
    const kernels::BinaryArgs args{kind, plan.view(a), plan.view(b), plan.view(y), nullptr, nullptr, nullptr, scale};
    Step step = with_rows(
        kernel_step(plan, kernels::K::binary, what, args, {reads(args.a, a), reads(args.b, b), writes(args.y, y)}),
        kSameRows);
    plan.step(plan.shape(a) == plan.shape(y) ? in_place(std::move(step), a, y) : std::move(step));
}

TensorId emit_all(PlanContext& plan, const char* what, kernels::BinaryKind kind, kernels::BinaryKind last,
                  float scale) {
    const size_t count = plan.input_count();
    const TensorId y = plan.output();
    TensorId result = plan.input(0);
    for (size_t i = 1; i < count; ++i) {
        const bool ends = i + 1 == count;
        const TensorId to = ends ? y : plan.create(plan.shape(y));
        emit_binary(plan, what, ends ? last : kind, result, plan.input(i), to, scale);
        result = to;
    }
    return y;
}

void emit_extreme(PlanContext& plan, const char* what, kernels::BinaryKind kind) {
    const TensorId y = emit_all(plan, what, kind, kind);
    plan.backward([y](BackwardContext& p) {
        const size_t count = p.input_count();
        size_t last = count;  // of the inputs whose gradient is wanted
        while (last > 0 && !p.wants_input_gradient(last - 1)) --last;
        TensorId left = p.output_gradient();
        for (size_t i = 0; i < last; ++i) {
            const TensorId x = p.input(i);
            if (i + 1 == count) return emit_pass(p, i, left, x, 1.0f);  // equal where no other was
            const bool wanted = p.wants_input_gradient(i), whole = p.shape(x) == p.shape(y);
            const TensorId dx = !wanted ? TensorId{} : whole ? p.input_gradient(i) : p.create(p.shape(y));
            const TensorId rest = i + 1 < last ? p.create(p.shape(y)) : TensorId{};
            kernels::ExtremeGradArgs args{};
            args.view_x = p.view(x), args.view_y = p.view(y), args.view_dy = p.view(left);
            if (dx.valid()) args.view_dx = p.view(dx);
            if (rest.valid()) args.view_rest = p.view(rest);
            p.step(kernel_step(p, kernels::K::extreme_backward, "gradient of the chosen", args,
                               {reads(args.x, x), reads(args.y, y), reads(args.dy, left), writes(args.dx, dx),
                                writes(args.rest, rest)}));
            if (wanted && !whole) emit_pass(p, i, dx, x, 1.0f);
            left = rest;
        }
    });
}

void emit_pass(BackwardContext& plan, size_t index, TensorId gradient, TensorId input, float factor) {
    if (!plan.wants_input_gradient(index)) return;
    if (plan.shape(input) != plan.shape(gradient)) return emit_reduce(plan, index, gradient, {}, factor);
    if (factor == 1.0f) return plan.pass_input_gradient(index, gradient);
    const TensorId dx = plan.input_gradient(index);
    const kernels::ScaleShiftArgs args{plan.view(gradient), plan.view(dx), nullptr, nullptr, factor, 0.0f};
    plan.step(kernel_step(plan, kernels::K::scale_shift, "scale gradient", args,
                          {reads(args.x, gradient), writes(args.y, dx)}));
}

void emit_product(BackwardContext& plan, size_t index, TensorId gradient, TensorId other, TensorId input) {
    if (!plan.wants_input_gradient(index)) return;
    if (plan.shape(input) != plan.shape(gradient)) return emit_reduce(plan, index, gradient, other, 1.0f);
    emit_binary(plan, "multiply gradient", kernels::BinaryKind::multiply, gradient, other, plan.input_gradient(index));
}

}  // namespace striate::merging
