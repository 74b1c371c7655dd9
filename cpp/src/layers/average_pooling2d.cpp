#include "striate/layers/average_pooling2d.hpp"

#include "layers/pooling.hpp"
#include "layers/steps.hpp"

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
    plan.step(kernel_step(plan, "average pool", dispatch::kernels().average_pool,
                          kernels::AveragePoolArgs{window, plan.view(x), plan.view(y), nullptr, nullptr}, {x}, {y},
                          [=](kernels::AveragePoolArgs& a, const Frame& f) {
                              a.x = f.get(x);
                              a.y = f.get(y);
                          }));
    plan.backward([=](PlanContext& p) {
        if (!p.wants_input_gradient()) return;
        const TensorId dy = p.output_gradient(), dx = p.input_gradient();
        p.step(kernel_step(p, "average pool backward", dispatch::kernels().average_pool_backward,
                           kernels::AveragePoolGradArgs{window, p.view(dy), p.view(dx), nullptr, nullptr}, {dy}, {dx},
                           [=](kernels::AveragePoolGradArgs& a, const Frame& f) {
                               a.dy = f.get(dy);
                               a.dx = f.get(dx);
                           }));
    });
}

}  // namespace striate
