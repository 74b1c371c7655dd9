#include "striate/layers/max_pooling2d.hpp"

#include "layers/pooling.hpp"
#include "layers/steps.hpp"

namespace striate {

MaxPooling2D::MaxPooling2D(Options options, std::string name) : LayerOf(std::move(options), std::move(name)) {
    pooling::check(options_.pool_size, strides(), options_.padding, label());
}

Shape MaxPooling2D::infer(const std::vector<Shape>& inputs) const {
    return pooling::infer(single(inputs, 3, "(N, H, W, C)"), options_.pool_size, strides(), options_.padding, label());
}

void MaxPooling2D::emit(PlanContext& plan) const {
    const TensorId x = plan.input(), y = plan.output();
    const View view_y = plan.view(y);
    const Shape shape = plan.shape(x);
    kernels::MaxPoolArgs args{};
    args.window = pooling::window({shape[1], shape[2], shape[3]}, options_.pool_size, strides(), options_.padding);
    args.view_x = plan.view(x);
    args.view_y = view_y;
    args.winners.wide = options_.pool_size.h * options_.pool_size.w > 256;
    std::vector<TensorId> writes{y};
    TensorId places;
    if (plan.wants_input_gradient()) {
        places = plan.create(plan.shape(y), {}, args.winners.wide ? DType::int32 : DType::uint8);
        writes.push_back(places);
    }
    plan.step(kernel_step(plan, "max pool", dispatch::kernels().max_pool, args, {x}, writes,
                          [=](kernels::MaxPoolArgs& a, const Frame& f) {
                              a.x = f.get(x);
                              a.y = f.get(y);
                              a.winners.places = places.valid() ? f.get<void>(places) : nullptr;
                          }));
    plan.backward([=, window = args.window, winners = args.winners](PlanContext& p) {
        if (!p.wants_input_gradient()) return;
        const TensorId dy = p.output_gradient(), dx = p.input_gradient();
        const kernels::MaxPoolGradArgs grad{window, p.view(dy), p.view(dx), nullptr, nullptr, winners};
        p.step(kernel_step(p, "max pool backward", dispatch::kernels().max_pool_backward, grad, {dy, places}, {dx},
                           [=](kernels::MaxPoolGradArgs& a, const Frame& f) {
                               a.dy = f.get(dy);
                               a.dx = f.get(dx);
                               a.winners.places = f.get<void>(places);
                           }));
    });
}

}  // namespace striate
