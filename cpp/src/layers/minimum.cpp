#include "striate/layers/minimum.hpp"

#include <limits>

#include "layers/merging.hpp"

namespace striate {

Shape Minimum::infer(const std::vector<Shape>& inputs) const {
    return merging::infer(inputs, std::numeric_limits<size_t>::max(), label());
}

void Minimum::emit(PlanContext& plan) const {
    merging::emit_extreme(plan, "minimum", kernels::BinaryKind::minimum);
}

}  // namespace striate
