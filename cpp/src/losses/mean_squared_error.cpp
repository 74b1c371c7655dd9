#include "striate/losses/mean_squared_error.hpp"

#include "losses/loss_steps.hpp"

namespace striate {

void MeanSquaredError::emit(const LossContext& context) const {
    kernels::ElementLossArgs kind{};
    kind.kind = kernels::ElementLoss::squared_error;
    losses::emit_element_loss(context, kind);
}

}  // namespace striate
