#include "layers/activation_steps.hpp"

#include "layers/steps.hpp"

namespace striate {
namespace {

using kernels::ActivationKind;

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
            return Reads::x;
        default:
            return Reads::y;
    }
}

}  // namespace

void emit_activation(PlanContext& plan, const ActivationFunction& f) {
    if (f.kind == ActivationKind::linear) {
        plan.output_is(plan.input());
        plan.backward([](PlanContext& p) { p.pass_input_gradient(0, p.output_gradient()); });
        return;
    }
    const TensorId x = plan.input(), y = plan.output();
    const View view_x = plan.view(x), view_y = plan.view(y);
    kernels::ActivationArgs args{f.kind, f.alpha, view_x, view_y, nullptr, nullptr, f.threshold, f.ceiling};
    plan.step(in_place(kernel_step(plan, "activation", dispatch::kernels().activation_forward, args, {x}, {y},
                                   [=](kernels::ActivationArgs& a, const Frame& frame) {
                                       a.x = frame.get(x);
                                       a.y = frame.get(y);
                                   }),
                       x, y));
    plan.backward([=](PlanContext& p) {
        if (!p.wants_input_gradient()) return;
        const TensorId dy = p.output_gradient(), dx = p.input_gradient();
        const Reads wanted = reads_of(f.kind);
        std::vector<TensorId> reads{dy};
        if (wanted != Reads::neither) reads.push_back(wanted == Reads::x ? x : y);
        kernels::ActivationGradArgs grad{f.kind,  f.alpha, view_x,  view_y,  p.view(dy),  p.view(dx),
                                         nullptr, nullptr, nullptr, nullptr, f.threshold, f.ceiling};
        p.step(
            in_place(kernel_step(p, "activation backward", dispatch::kernels().activation_backward, grad, reads, {dx},
                                 [=](kernels::ActivationGradArgs& a, const Frame& frame) {
                                     a.x = wanted == Reads::x ? frame.get(x) : nullptr;
                                     a.y = wanted == Reads::y ? frame.get(y) : nullptr;
                                     a.dy = frame.get(dy);
                                     a.dx = frame.get(dx);
                                 }),
                     dy, dx));
    });
}

void emit_softmax(PlanContext& plan) {
    const TensorId x = plan.input(), y = plan.output();
    const View view_x = plan.view(x), view_y = plan.view(y);
    plan.step(in_place(kernel_step(plan, "softmax", dispatch::kernels().softmax,
                                   kernels::SoftmaxArgs{view_x, view_y, nullptr, nullptr}, {x}, {y},
                                   [=](kernels::SoftmaxArgs& a, const Frame& frame) {
                                       a.x = frame.get(x);
                                       a.y = frame.get(y);
                                   }),
                       x, y));
    plan.backward([=](PlanContext& p) {
        if (!p.wants_input_gradient()) return;
        const TensorId dy = p.output_gradient(), dx = p.input_gradient();
        p.step(in_place(kernel_step(p, "softmax backward", dispatch::kernels().softmax_backward,
                                    kernels::SoftmaxGradArgs{view_y, p.view(dy), p.view(dx), nullptr, nullptr, nullptr},
                                    {y, dy}, {dx},
                                    [=](kernels::SoftmaxGradArgs& a, const Frame& frame) {
                                        a.y = frame.get(y);
                                        a.dy = frame.get(dy);
                                        a.dx = frame.get(dx);
                                    }),
                        dy, dx));
    });
}

}  // namespace striate
