#include "layers/resize_steps.hpp"

#include "planning/kernel_call.hpp"
#include "striate/error.hpp"

namespace striate::resizing {

void check_interpolation(const std::string& interpolation, const std::string& owner) {
    require(interpolation == "nearest" || interpolation == "bilinear", "[", owner,
            "] interpolation must be 'nearest' or 'bilinear', got '", interpolation, "'");
}

void emit(PlanContext& plan, const std::string& interpolation) {
    const TensorId x = plan.input(), y = plan.output();
    const bool bilinear = interpolation == "bilinear";
    const kernels::ResizeArgs args{bilinear, plan.view(x), plan.view(y), nullptr, nullptr};
    plan.step(kernel_step(plan, kernels::K::resize, "resize", args, {reads(args.x, x), writes(args.y, y)}));
    plan.backward([=](BackwardContext& p) {
        if (!p.wants_input_gradient()) return;
        const TensorId dy = p.output_gradient(), dx = p.input_gradient();
        const kernels::ResizeGradArgs grad{bilinear, p.view(dy), p.view(dx), nullptr, nullptr};
        p.step(kernel_step(p, kernels::K::resize_backward, "resize backward", grad,
                           {reads(grad.dy, dy), writes(grad.dx, dx)}));
    });
}

}  // namespace striate::resizing
