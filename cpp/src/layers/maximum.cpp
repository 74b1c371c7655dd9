#include "striate/layers/maximum.hpp"

#include <limits>

#include "layers/merging.hpp"

namespace striate {

Shape Maximum::infer(const std::vector<Shape>& inputs) const {
    return merging::infer(inputs, std::numeric_limits<size_t>::max(), label());
}

void Maximum::emit(PlanContext& plan) const {
    merging::emit_extreme(plan, "maximum", kernels::BinaryKind::maximum);
}

}  // namespace striate
