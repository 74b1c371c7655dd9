#include "striate/layers/resizing.hpp"

#include "layers/resize_steps.hpp"
#include "striate/error.hpp"

namespace striate {

Resizing::Resizing(Options options, std::string name) : LayerOf(std::move(options), std::move(name)) {
    require(options_.height > 0 && options_.width > 0, "[", label(), "] height and width must be positive, got ",
            options_.height, " and ", options_.width);
    resizing::check_interpolation(options_.interpolation, label());
}

Shape Resizing::infer(const std::vector<Shape>& inputs) const {
    return {options_.height, options_.width, single(inputs, 3, "(N, H, W, C)")[2]};
}

void Resizing::emit(PlanContext& plan) const {
    resizing::emit(plan, options_.interpolation);
}

}  // namespace striate
