#include "striate/layers/rescaling.hpp"

#include <cmath>

#include "layers/constant_affine.hpp"
#include "striate/error.hpp"

namespace striate {

Rescaling::Rescaling(Options options, std::string name) : LayerOf(std::move(options), std::move(name)) {
    for (double v : options_.scale) require(std::isfinite(v), "[", label(), "] scale must be finite, got ", v);
    for (double v : options_.offset) require(std::isfinite(v), "[", label(), "] offset must be finite, got ", v);
}

Shape Rescaling::infer(const std::vector<Shape>& inputs) const {
    const Shape& shape = single(inputs);
    check_channels(options_.scale, "scale", shape, label());
    check_channels(options_.offset, "offset", shape, label());
    return shape;
}

void Rescaling::emit(PlanContext& plan) const {
    emit_constant_affine(plan, {{0.0}, options_.scale, options_.offset});
}

}  // namespace striate
