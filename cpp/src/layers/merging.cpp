#include "layers/merging.hpp"

#include <algorithm>

#include "layers/steps.hpp"
#include "striate/error.hpp"

namespace striate::merging {
namespace {

// One sum for each element of the input, of gradient or of gradient * other.
void emit_reduce(PlanContext& plan, size_t index, TensorId gradient, TensorId other, float factor) {
    const TensorId dx = plan.input_gradient(index);
    kernels::ReduceBroadcastArgs args{};
    args.view_dy = plan.view(gradient);
    args.view_other = other.valid() ? plan.view(other) : args.view_dy;
    args.view_out = plan.view(dx);
    args.factor = factor;
    std::vector<TensorId> reads{gradient};
    if (other.valid()) reads.push_back(other);
    plan.step(kernel_step(plan, "sum over broadcast axes", dispatch::kernels().reduce_broadcast, args, reads, {dx},
                          [=](kernels::ReduceBroadcastArgs& a, const Frame& f) {
                              a.dy = f.get(gradient);
                              a.other = other.valid() ? f.get(other) : nullptr;
                              a.out = f.get(dx);
                          }));
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
    Step step = kernel_step(plan, what, dispatch::kernels().binary, args, {a, b}, {y},
                            [=](kernels::BinaryArgs& bound, const Frame& f) {
                                bound.a = f.get(a);
                                bound.b = f.get(b);
                                bound.y = f.get(y);
                            });
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

void emit_pass(PlanContext& plan, size_t index, TensorId gradient, TensorId input, float factor) {
    if (!plan.wants_input_gradient(index)) return;
    if (plan.shape(input) != plan.shape(gradient)) return emit_reduce(plan, index, gradient, {}, factor);
    if (factor == 1.0f) return plan.pass_input_gradient(index, gradient);
    const TensorId dx = plan.input_gradient(index);
    plan.step(kernel_step(plan, "scale gradient", dispatch::kernels().scale_shift,
                          kernels::ScaleShiftArgs{plan.view(gradient), plan.view(dx), nullptr, nullptr, factor, 0.0f},
                          {gradient}, {dx}, [=](kernels::ScaleShiftArgs& a, const Frame& f) {
                              a.x = f.get(gradient);
                              a.y = f.get(dx);
                          }));
}

void emit_product(PlanContext& plan, size_t index, TensorId gradient, TensorId other, TensorId input) {
    if (!plan.wants_input_gradient(index)) return;
    if (plan.shape(input) != plan.shape(gradient)) return emit_reduce(plan, index, gradient, other, 1.0f);
    emit_binary(plan, "multiply gradient", kernels::BinaryKind::multiply, gradient, other, plan.input_gradient(index));
}

}  // namespace striate::merging
