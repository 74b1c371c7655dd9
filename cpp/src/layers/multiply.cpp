#include "striate/layers/multiply.hpp"

#include <limits>

#include "layers/merging.hpp"

namespace striate {

Shape Multiply::infer(const std::vector<Shape>& inputs) const {
    return merging::infer(inputs, std::numeric_limits<size_t>::max(), label());
}

void Multiply::emit(PlanContext& plan) const {
    merging::emit_all(plan, "multiply", kernels::BinaryKind::multiply, kernels::BinaryKind::multiply);
    plan.backward([](BackwardContext& p) {
        const size_t count = p.input_count();
        const TensorId dy = p.output_gradient();
        for (size_t i = 0; i < count; ++i) {
            if (!p.wants_input_gradient(i)) continue;
            // The product of all other inputs, in their order.
            TensorId others;
            for (size_t j = 0; j < count; ++j) {
                if (j == i) continue;
                if (!others.valid()) {
                    others = p.input(j);
                    continue;
                }
                const TensorId next = p.create(p.shape(dy));
                merging::emit_binary(p, "multiply others", kernels::BinaryKind::multiply, others, p.input(j), next);
                others = next;
            }
            merging::emit_product(p, i, dy, others, p.input(i));
        }
    });
}

}  // namespace striate
