#include "layers/activation_steps.hpp"

#include "planning/kernel_call.hpp"

namespace striate {
namespace {

using kernels::ActivationKind;
using kernels::K;

// What the kernel's backward pass reads: the input, the output or neither.
enum class Reads { x, y, neither };

Reads reads_of(ActivationKind kind) {
    switch (kind) {
        case ActivationKind::linear:
            return Reads::neither;
        case ActivationKind::silu:
        case ActivationKind::gelu:
        case ActivationKind::gelu_tanh:
        case ActivationKind::hard_swish:
        case ActivationKind::rectifier:
        case ActivationKind::log:
        case ActivationKind::abs:
        case ActivationKind::erf:
            return Reads::x;
        default:
            return Reads::y;
    }
}

}  // namespace

void emit_activation(PlanContext& plan, const ActivationFunction& f) {
    if (f.kind == ActivationKind::linear) {
        plan.output_is(plan.input());
        plan.backward([](BackwardContext& p) { p.pass_input_gradient(0, p.output_gradient()); });
        return;
    }
    const TensorId x = plan.input(), y = plan.output();
    const View view_x = plan.view(x), view_y = plan.view(y);
    emit_activation(plan, f, x, y);
    plan.backward([=](BackwardContext& p) {
        if (!p.wants_input_gradient()) return;
        const TensorId dy = p.output_gradient(), dx = p.input_gradient();
        const Reads wanted = reads_of(f.kind);
        const kernels::ActivationGradArgs grad{f.kind,  f.alpha, view_x,  view_y,  p.view(dy),  p.view(dx),
                                               nullptr, nullptr, nullptr, nullptr, f.threshold, f.ceiling};
        p.step(in_place(
            kernel_step(p, K::activation_backward, "activation backward", grad,
                        {reads(grad.x, wanted == Reads::x ? x : TensorId()),
                         reads(grad.y, wanted == Reads::y ? y : TensorId()), reads(grad.dy, dy), writes(grad.dx, dx)}),
            dy, dx));
    });
}

void emit_activation(PlanContext& plan, const ActivationFunction& f, TensorId x, TensorId y) {
    const kernels::ActivationArgs args{f.kind,  f.alpha, plan.view(x), plan.view(y),
                                       nullptr, nullptr, f.threshold,  f.ceiling};
    plan.step(with_rows(
        in_place(kernel_step(plan, K::activation_forward, "activation", args, {reads(args.x, x), writes(args.y, y)}), x,
                 y),
        kSameRows));
}

void emit_softmax(PlanContext& plan) {
    const TensorId x = plan.input(), y = plan.output();
    const View view_x = plan.view(x), view_y = plan.view(y);
    const kernels::SoftmaxArgs args{view_x, view_y, nullptr, nullptr};
    plan.step(in_place(kernel_step(plan, K::softmax, "softmax", args, {reads(args.x, x), writes(args.y, y)}), x, y));
    plan.backward([=](BackwardContext& p) {
        if (!p.wants_input_gradient()) return;
        const TensorId dy = p.output_gradient(), dx = p.input_gradient();
        const kernels::SoftmaxGradArgs grad{view_y, p.view(dy), p.view(dx), nullptr, nullptr, nullptr};
        p.step(in_place(kernel_step(p, K::softmax_backward, "softmax backward", grad,
                                    {reads(grad.y, y), reads(grad.dy, dy), writes(grad.dx, dx)}),
                        dy, dx));
    });
}

}  // namespace striate
