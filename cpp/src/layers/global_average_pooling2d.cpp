#include "striate/layers/global_average_pooling2d.hpp"

#include "layers/steps.hpp"

namespace striate {

Shape GlobalAveragePooling2D::infer(const std::vector<Shape>& inputs) const {
    const Shape& shape = single(inputs, 3, "(N, H, W, C)");
    return options_.keepdims ? Shape{1, 1, shape[2]} : Shape{shape[2]};
}

void GlobalAveragePooling2D::emit(PlanContext& plan) const {
    const TensorId x = plan.input(), y = plan.output();
    plan.step(kernel_step(plan, "global average pool", dispatch::kernels().global_average_pool,
                          kernels::GlobalPoolArgs{plan.view(x), plan.view(y), nullptr, nullptr, nullptr}, {x}, {y},
                          [=](kernels::GlobalPoolArgs& a, const Frame& f) {
                              a.x = f.get(x);
                              a.y = f.get(y);
                          }));
    plan.backward([=](PlanContext& p) {
        if (!p.wants_input_gradient()) return;
        const TensorId dy = p.output_gradient(), dx = p.input_gradient();
        p.step(kernel_step(p, "global average pool backward", dispatch::kernels().global_average_pool_backward,
                           kernels::GlobalPoolGradArgs{p.view(dy), p.view(dx), nullptr, nullptr, nullptr}, {dy}, {dx},
                           [=](kernels::GlobalPoolGradArgs& a, const Frame& f) {
                               a.dy = f.get(dy);
                               a.dx = f.get(dx);
                           }));
    });
}

}  // namespace striate
