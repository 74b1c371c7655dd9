#include "striate/layers/zero_padding2d.hpp"

#include "layers/margins.hpp"

namespace striate {

ZeroPadding2D::ZeroPadding2D(Options options, std::string name) : LayerOf(std::move(options), std::move(name)) {
    margins::check(options_.padding, "padding", label());
}

Shape ZeroPadding2D::infer(const std::vector<Shape>& inputs) const {
    const Shape& shape = single(inputs, 3, "(N, H, W, C)");
    const std::vector<int64_t>& p = options_.padding;
    const Shape padded{shape[0] + p[0] + p[1], shape[1] + p[2] + p[3], shape[2]};
    element_count(padded);
    return padded;
}

void ZeroPadding2D::emit(PlanContext& plan) const {
    margins::emit_widen(plan, "zero padding", plan.input(), plan.output(), options_.padding);
    plan.backward([padding = options_.padding](BackwardContext& p) {
        if (p.wants_input_gradient())
            margins::emit_narrow(p, "zero padding backward", p.output_gradient(), p.input_gradient(), padding);
    });
}

}  // namespace striate
