#include "layers/merging.hpp"

#include <algorithm>

#include "graph/kernel_call.hpp"
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
        require(fits, "[", owner, "] inputs must have one shape, but for axes of size 1, got ", with_batch(inputs[0]),
                " and ", with_batch(shape));
    }
    return common;
}

void emit_binary(PlanContext& plan, const char* what, kernels::BinaryKind kind, TensorId a, TensorId b, TensorId y) {
    const kernels::BinaryArgs args{kind, plan.view(a), plan.view(b), plan.view(y), nullptr, nullptr, nullptr};
    Step step =
        kernel_step(plan, kernels::K::binary, what, args, {reads(args.a, a), reads(args.b, b), writes(args.y, y)});
    plan.step(plan.shape(a) == plan.shape(y) ? in_place(std::move(step), a, y) : std::move(step));
}

TensorId emit_sum(PlanContext& plan, bool relu) {
    using kernels::BinaryKind;
    const size_t count = plan.input_count();
    const TensorId y = plan.output();
    TensorId sum = plan.input(0);
    for (size_t i = 1; i < count; ++i) {
        const bool last = i + 1 == count;
        const TensorId to = last ? y : plan.create(plan.shape(y));
        emit_binary(plan, "add", last && relu ? BinaryKind::add_relu : BinaryKind::add, sum, plan.input(i), to);
        sum = to;
    }
    return y;
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
