#include "striate/layers/upsampling2d.hpp"

#include "graph/kernel_call.hpp"
#include "striate/error.hpp"

namespace striate {

UpSampling2D::UpSampling2D(Options options, std::string name) : LayerOf(std::move(options), std::move(name)) {
    require(options_.size.h > 0 && options_.size.w > 0, "[", label(), "] size must be positive, got (", options_.size.h,
            ", ", options_.size.w, ")");
    require(options_.interpolation == "nearest" || options_.interpolation == "bilinear", "[", label(),
            "] interpolation must be 'nearest' or 'bilinear', got '", options_.interpolation, "'");
}

Shape UpSampling2D::infer(const std::vector<Shape>& inputs) const {
    const Shape& shape = single(inputs, 3, "(N, H, W, C)");
    element_count({shape[0], options_.size.h});
    element_count({shape[1], options_.size.w});
    return {shape[0] * options_.size.h, shape[1] * options_.size.w, shape[2]};
}

void UpSampling2D::emit(PlanContext& plan) const {
    const TensorId x = plan.input(), y = plan.output();
    const bool bilinear = options_.interpolation == "bilinear";
    const kernels::ResizeArgs args{bilinear, plan.view(x), plan.view(y), nullptr, nullptr};
    plan.step(kernel_step(plan, kernels::K::resize, "upsample", args, {reads(args.x, x), writes(args.y, y)}));
    plan.backward([=](BackwardContext& p) {
        if (!p.wants_input_gradient()) return;
        const TensorId dy = p.output_gradient(), dx = p.input_gradient();
        const kernels::ResizeGradArgs grad{bilinear, p.view(dy), p.view(dx), nullptr, nullptr};
        p.step(kernel_step(p, kernels::K::resize_backward, "upsample backward", grad,
                           {reads(grad.dy, dy), writes(grad.dx, dx)}));
    });
}

}  // namespace striate
