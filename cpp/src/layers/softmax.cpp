#include "striate/layers/softmax.hpp"

#include "layers/activation_steps.hpp"
#include "striate/error.hpp"

namespace striate {

Shape Softmax::infer(const std::vector<Shape>& inputs) const {
    const Shape& shape = single(inputs);
    const auto last = static_cast<int64_t>(shape.size());
    require(options_.axis == -1 || options_.axis == last, "[", label(), "] works along the last axis, -1 or here ",
            last, ", got axis ", options_.axis);
    return shape;
}

void Softmax::emit(PlanContext& plan) const {
    emit_softmax(plan);
}

}  // namespace striate
