#include "striate/layers/subtract.hpp"

#include "layers/merging.hpp"

namespace striate {

Shape Subtract::infer(const std::vector<Shape>& inputs) const {
    return merging::infer(inputs, 2, label());
}

void Subtract::emit(PlanContext& plan) const {
    merging::emit_binary(plan, "subtract", kernels::BinaryKind::subtract, plan.input(0), plan.input(1), plan.output());
    plan.backward([](BackwardContext& p) {
        const TensorId dy = p.output_gradient();
        merging::emit_pass(p, 0, dy, p.input(0), 1.0f);
        merging::emit_pass(p, 1, dy, p.input(1), -1.0f);
    });
}

}  // namespace striate
