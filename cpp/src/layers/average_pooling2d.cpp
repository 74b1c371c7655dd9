#include "striate/layers/average_pooling2d.hpp"

#include "layers/pooling.hpp"
#include "planning/kernel_call.hpp"

namespace striate {

AveragePooling2D::AveragePooling2D(Options options, std::string name) : LayerOf(std::move(options), std::move(name)) {
    pooling::check(options_.pool_size, strides(), options_.padding, label());
}

Shape AveragePooling2D::infer(const std::vector<Shape>& inputs) const {
    return pooling::infer(single(inputs, 3, "(N, H, W, C)"), options_.pool_size, strides(), options_.padding, label());
}

void AveragePooling2D::emit(PlanContext& plan) const {
    const TensorId x = plan.input(), y = plan.output();
    const Shape shape = plan.shape(x);
    const kernels::PoolWindow window =
        pooling::window({shape[1], shape[2], shape[3]}, options_.pool_size, strides(), options_.padding);
    const kernels::AveragePoolArgs args{window, plan.view(x), plan.view(y), nullptr, nullptr};
    plan.step(kernel_step(plan, kernels::K::average_pool, "average pool", args, {reads(args.x, x), writes(args.y, y)}));
    plan.backward([=](BackwardContext& p) {
        if (!p.wants_input_gradient()) return;
        const TensorId dy = p.output_gradient(), dx = p.input_gradient();
        const kernels::AveragePoolGradArgs grad{window, p.view(dy), p.view(dx), nullptr, nullptr};
        p.step(kernel_step(p, kernels::K::average_pool_backward, "average pool backward", grad,
                           {reads(grad.dy, dy), writes(grad.dx, dx)}));
    });
}

}  // namespace striate
