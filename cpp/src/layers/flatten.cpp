#include "striate/layers/flatten.hpp"

namespace striate {

void Flatten::emit(PlanContext& plan) const {
    plan.output_is(plan.input());
    plan.backward([](BackwardContext& p) { p.pass_input_gradient(0, p.output_gradient()); });
}

}  // namespace striate
