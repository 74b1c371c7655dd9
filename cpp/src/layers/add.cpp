#include "striate/layers/add.hpp"

#include <limits>

#include "layers/merging.hpp"

namespace striate {

Shape Add::infer(const std::vector<Shape>& inputs) const {
    return merging::infer(inputs, std::numeric_limits<size_t>::max(), label());
}

void Add::emit(PlanContext& plan) const {
    merging::emit_all(plan, "add", kernels::BinaryKind::add, kernels::BinaryKind::add);
    plan.backward([](BackwardContext& p) {
        const TensorId dy = p.output_gradient();
        for (size_t i = 0; i < p.input_count(); ++i) merging::emit_pass(p, i, dy, p.input(i), 1.0f);
    });
}

}  // namespace striate
