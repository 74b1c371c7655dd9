#include "striate/layers/global_average_pooling2d.hpp"

#include "planning/kernel_call.hpp"

namespace striate {

Shape GlobalAveragePooling2D::infer(const std::vector<Shape>& inputs) const {
    const Shape& shape = single(inputs, 3, "(N, H, W, C)");
    return options_.keepdims ? Shape{1, 1, shape[2]} : Shape{shape[2]};
}

void GlobalAveragePooling2D::emit(PlanContext& plan) const {
    const TensorId x = plan.input(), y = plan.output();
    const kernels::GlobalPoolArgs args{plan.view(x), plan.view(y), nullptr, nullptr, nullptr};
    plan.step(kernel_step(plan, kernels::K::global_average_pool, "global average pool", args,
                          {reads(args.x, x), writes(args.y, y), writes(args.winners, {})}));
    plan.backward([=](BackwardContext& p) {
        if (!p.wants_input_gradient()) return;
        const TensorId dy = p.output_gradient(), dx = p.input_gradient();
        const kernels::GlobalPoolGradArgs grad{p.view(dy), p.view(dx), nullptr, nullptr, nullptr};
        p.step(kernel_step(p, kernels::K::global_average_pool_backward, "global average pool backward", grad,
                           {reads(grad.dy, dy), writes(grad.dx, dx), reads(grad.winners, {})}));
    });
}

}  // namespace striate
