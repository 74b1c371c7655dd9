#include "striate/losses/mean_absolute_error.hpp"

#include "losses/loss_steps.hpp"

namespace striate {

void MeanAbsoluteError::emit(const LossContext& context) const {
    kernels::ElementLossArgs kind{};
    kind.kind = kernels::ElementLoss::absolute_error;
    losses::emit_element_loss(context, kind);
}

}  // namespace striate
