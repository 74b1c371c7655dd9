#include "striate/layers/cropping2d.hpp"

#include "layers/margins.hpp"
#include "striate/error.hpp"

namespace striate {

Cropping2D::Cropping2D(Options options, std::string name) : LayerOf(std::move(options), std::move(name)) {
    margins::check(options_.cropping, "cropping", label());
}

Shape Cropping2D::infer(const std::vector<Shape>& inputs) const {
    const Shape& shape = single(inputs, 3, "(N, H, W, C)");
    const std::vector<int64_t>& c = options_.cropping;
    const bool left = c[0] < shape[0] && c[1] < shape[0] - c[0] && c[2] < shape[1] && c[3] < shape[1] - c[2];
    require(left, "[", label(), "] cropping (top, bottom, left, right) ", to_string(c), " leaves nothing of the map ",
            with_batch(shape));
    return {shape[0] - c[0] - c[1], shape[1] - c[2] - c[3], shape[2]};
}

void Cropping2D::emit(PlanContext& plan) const {
    margins::emit_narrow(plan, "cropping", plan.input(), plan.output(), options_.cropping);
    plan.backward([cropping = options_.cropping](BackwardContext& p) {
        if (p.wants_input_gradient())
            margins::emit_widen(p, "cropping backward", p.output_gradient(), p.input_gradient(), cropping);
    });
}

}  // namespace striate
