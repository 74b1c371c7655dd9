#include "striate/layers/add.hpp"

#include <limits>

#include "layers/merging.hpp"

namespace striate {

Shape Add::infer(const std::vector<Shape>& inputs) const {
    return merging::infer(inputs, std::numeric_limits<size_t>::max(), label());
}

void Add::emit(PlanContext& plan) const {
    const size_t count = plan.input_count();
    const TensorId y = plan.output();
    TensorId sum = plan.input(0);
    for (size_t i = 1; i < count; ++i) {
        const TensorId to = i + 1 == count ? y : plan.create(plan.shape(y));
        merging::emit_binary(plan, "add", kernels::BinaryKind::add, sum, plan.input(i), to);
        sum = to;
    }
    plan.backward([count](PlanContext& p) {
        const TensorId dy = p.output_gradient();
        for (size_t i = 0; i < count; ++i) merging::emit_pass(p, i, dy, p.input(i), 1.0f);
    });
}

}  // namespace striate
