#include "striate/layers/dropout.hpp"

#include "planning/kernel_call.hpp"
#include "striate/error.hpp"

namespace striate {

Dropout::Dropout(Options options, std::string name) : LayerOf(std::move(options), std::move(name)) {
    require(options_.rate >= 0.0 && options_.rate < 1.0, "[", label(),
            "] rate must be at least 0 and less than 1, got ", options_.rate);
}

Shape Dropout::infer(const std::vector<Shape>& inputs) const {
    return single(inputs);
}

void Dropout::emit(PlanContext& plan) const {
    if (!plan.training() || options_.rate == 0.0) {
        plan.output_is(plan.input());
        plan.backward([](BackwardContext& p) { p.pass_input_gradient(0, p.output_gradient()); });
        return;
    }
    const TensorId x = plan.input(), y = plan.output();
    const double rate = options_.rate;
    TensorId kept;
    if (plan.wants_input_gradient()) kept = plan.create(plan.shape(x), {}, DType::uint8);
    kernels::DropoutArgs args{{}, rate, plan.view(x), plan.view(y), nullptr, nullptr, nullptr};
    args.source.stream = plan.random_stream();
    args.source.row = element_count(plan.shape(x)) / plan.batch();
    plan.step(in_place(kernel_step(plan, kernels::K::dropout, "dropout", args,
                                   {random(args.source), reads(args.x, x), writes(args.y, y), writes(args.kept, kept)}),
                       x, y));
    plan.backward([=](BackwardContext& p) {
        if (!p.wants_input_gradient()) return;
        const TensorId dy = p.output_gradient(), dx = p.input_gradient();
        const kernels::DropoutGradArgs grad{{}, rate, p.view(dy), p.view(dx), nullptr, nullptr, nullptr};
        p.step(in_place(kernel_step(p, kernels::K::dropout_backward, "dropout backward", grad,
                                    {reads(grad.dy, dy), writes(grad.dx, dx), reads(grad.kept, kept)}),
                        dy, dx));
    });
}

}  // namespace striate
