#include "rewrites/rectified_add.hpp"

#include "cpu/convolution_steps.hpp"
#include "layers/merging.hpp"

namespace striate {

void RectifiedAdd::emit(PlanContext& plan) const {
    const TensorId y = merging::emit_all(plan, "add", kernels::BinaryKind::add, kernels::BinaryKind::add_relu);
    plan.backward([y](BackwardContext& p) {
        const TensorId gradient = convolution::gradient_before_relu(p, y, true);
        for (size_t i = 0; i < p.input_count(); ++i) merging::emit_pass(p, i, gradient, p.input(i), 1.0f);
    });
}

}  // namespace striate
