#include "striate/layers/global_max_pooling2d.hpp"

#include "layers/steps.hpp"

namespace striate {

Shape GlobalMaxPooling2D::infer(const std::vector<Shape>& inputs) const {
    const Shape& shape = single(inputs, 3, "(N, H, W, C)");
    return options_.keepdims ? Shape{1, 1, shape[2]} : Shape{shape[2]};
}

void GlobalMaxPooling2D::emit(PlanContext& plan) const {
    const TensorId x = plan.input(), y = plan.output();
    std::vector<TensorId> writes{y};
    TensorId winners;
    if (plan.wants_input_gradient()) {
        winners = plan.create(plan.shape(y), {}, DType::int32);
        writes.push_back(winners);
    }
    plan.step(kernel_step(plan, "global max pool", dispatch::kernels().global_max_pool,
                          kernels::GlobalPoolArgs{plan.view(x), plan.view(y), nullptr, nullptr, nullptr}, {x}, writes,
                          [=](kernels::GlobalPoolArgs& a, const Frame& f) {
                              a.x = f.get(x);
                              a.y = f.get(y);
                              a.winners = winners.valid() ? f.get<int32_t>(winners) : nullptr;
                          }));
    plan.backward([=](PlanContext& p) {
        if (!p.wants_input_gradient()) return;
        const TensorId dy = p.output_gradient(), dx = p.input_gradient();
        p.step(kernel_step(p, "global max pool backward", dispatch::kernels().global_max_pool_backward,
                           kernels::GlobalPoolGradArgs{p.view(dy), p.view(dx), nullptr, nullptr, nullptr},
                           {dy, winners}, {dx}, [=](kernels::GlobalPoolGradArgs& a, const Frame& f) {
                               a.dy = f.get(dy);
                               a.dx = f.get(dx);
                               a.winners = f.get<int32_t>(winners);
                           }));
    });
}

}  // namespace striate
