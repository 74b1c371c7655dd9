#include "striate/layers/upsampling2d.hpp"

#include "layers/steps.hpp"
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
    plan.step(kernel_step(plan, "upsample", dispatch::kernels().resize,
                          kernels::ResizeArgs{bilinear, plan.view(x), plan.view(y), nullptr, nullptr}, {x}, {y},
                          [=](kernels::ResizeArgs& a, const Frame& f) {
                              a.x = f.get(x);
                              a.y = f.get(y);
                          }));
    plan.backward([=](PlanContext& p) {
        if (!p.wants_input_gradient()) return;
        const TensorId dy = p.output_gradient(), dx = p.input_gradient();
        p.step(kernel_step(p, "upsample backward", dispatch::kernels().resize_backward,
                           kernels::ResizeGradArgs{bilinear, p.view(dy), p.view(dx), nullptr, nullptr}, {dy}, {dx},
                           [=](kernels::ResizeGradArgs& a, const Frame& f) {
                               a.dy = f.get(dy);
                               a.dx = f.get(dx);
                           }));
    });
}

}  // namespace striate
