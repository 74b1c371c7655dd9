#include "striate/layers/upsampling2d.hpp"

#include "layers/resize_steps.hpp"
#include "striate/error.hpp"

namespace striate {

UpSampling2D::UpSampling2D(Options options, std::string name) : LayerOf(std::move(options), std::move(name)) {
    require(options_.size.h > 0 && options_.size.w > 0, "[", label(), "] size must be positive, got (", options_.size.h,
            ", ", options_.size.w, ")");
    resizing::check_interpolation(options_.interpolation, label());
}

Shape UpSampling2D::infer(const std::vector<Shape>& inputs) const {
    const Shape& shape = single(inputs, 3, "(N, H, W, C)");
    element_count({shape[0], options_.size.h});
    element_count({shape[1], options_.size.w});
    return {shape[0] * options_.size.h, shape[1] * options_.size.w, shape[2]};
}

void UpSampling2D::emit(PlanContext& plan) const {
    resizing::emit(plan, options_.interpolation);
}

}  // namespace striate
