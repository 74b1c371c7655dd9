#include "striate/layers/multiply.hpp"

#include <limits>

#include "layers/merging.hpp"

namespace striate {

Shape Multiply::infer(const std::vector<Shape>& inputs) const {
    return merging::infer(inputs, std::numeric_limits<size_t>::max(), label());
}

void Multiply::emit(PlanContext& plan) const {
    const size_t count = plan.input_count();
    const TensorId y = plan.output();
    TensorId product = plan.input(0);
    for (size_t i = 1; i < count; ++i) {
        const TensorId to = i + 1 == count ? y : plan.create(plan.shape(y));
        merging::emit_binary(plan, "multiply", kernels::BinaryKind::multiply, product, plan.input(i), to);
        product = to;
    }
    plan.backward([count](BackwardContext& p) {
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
