#include "layers/rectified_add.hpp"

#include "layers/convolution_steps.hpp"
#include "layers/merging.hpp"

namespace striate {

void RectifiedAdd::emit(PlanContext& plan) const {
    const TensorId y = merging::emit_sum(plan, true);
    plan.backward([y](BackwardContext& p) {
        const TensorId gradient = convolution::gradient_before_relu(p, y, true);
        for (size_t i = 0; i < p.input_count(); ++i) merging::emit_pass(p, i, gradient, p.input(i), 1.0f);
    });
}

}  // namespace striate
