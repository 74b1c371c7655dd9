#include "striate/layers/max_pooling2d.hpp"

#include "layers/pooling.hpp"

namespace striate {

MaxPooling2D::MaxPooling2D(Options options, std::string name) : LayerOf(std::move(options), std::move(name)) {
    pooling::check(options_.pool_size, strides(), options_.padding, label());
}

Shape MaxPooling2D::infer(const std::vector<Shape>& inputs) const {
    return pooling::infer(single(inputs, 3, "(N, H, W, C)"), options_.pool_size, strides(), options_.padding, label());
}

void MaxPooling2D::emit(PlanContext& plan) const {
    const TensorId x = plan.input(), y = plan.output();
    const Shape shape = plan.shape(x);
    const kernels::PoolWindow window =
        pooling::window({shape[1], shape[2], shape[3]}, options_.pool_size, strides(), options_.padding);
    TensorId places;
    if (plan.wants_input_gradient())
        places = plan.create(plan.shape(y), {}, pooling::wide(window) ? DType::int32 : DType::uint8);
    pooling::emit_max(plan, window, x, y, places, false);
    plan.backward([=](BackwardContext& p) {
        if (p.wants_input_gradient())
            pooling::emit_max_backward(p, window, p.output_gradient(), places, p.input_gradient());
    });
}

}  // namespace striate
