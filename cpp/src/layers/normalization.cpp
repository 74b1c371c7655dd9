#include "striate/layers/normalization.hpp"

#include <algorithm>
#include <cmath>

#include "layers/constant_affine.hpp"
#include "layers/normalization_steps.hpp"
#include "striate/error.hpp"

namespace striate {
namespace {

// The smallest standard deviation that is divided by, as in Keras.
constexpr double kSmallest = 1e-7;

}  // namespace

Normalization::Normalization(Options options, std::string name) : LayerOf(std::move(options), std::move(name)) {
    require(options_.mean.has_value() == options_.variance.has_value(), "[", label(),
            "] needs both mean and variance, or neither");
    if (!options_.mean) return;
    require(!options_.mean->empty() && !options_.variance->empty(), "[", label(),
            "] mean and variance must not be empty");
    for (double v : *options_.mean) require(std::isfinite(v), "[", label(), "] mean must be finite, got ", v);
    for (double v : *options_.variance)
        require(v >= 0.0 && std::isfinite(v), "[", label(), "] variance must be a number of at least 0, got ", v);
}

Shape Normalization::infer(const std::vector<Shape>& inputs) const {
    const Shape& shape = single(inputs);
    if (options_.axis) normalization::check_last_axis(*options_.axis, shape, label());
    require(options_.mean.has_value(), "[", label(),
            "] has no statistics; give mean and variance, or call adapt(data) before");
    check_channels(*options_.mean, "mean", shape, label());
    check_channels(*options_.variance, "variance", shape, label());
    return shape;
}

void Normalization::emit(PlanContext& plan) const {
    ConstantAffine constants{{0.0}, {}, {0.0}};
    for (double v : *options_.variance) {
        const double deviation = std::max(std::sqrt(v), kSmallest);
        constants.scale.push_back(options_.invert ? deviation : 1.0 / deviation);
    }
    (options_.invert ? constants.shift : constants.mean) = *options_.mean;
    emit_constant_affine(plan, constants);
}

}  // namespace striate
