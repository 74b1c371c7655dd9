#include "striate/losses/huber.hpp"

#include <cmath>

#include "losses/loss_steps.hpp"

namespace striate {

Huber::Huber(Options options) : LossOf(std::move(options)) {
    require(options_.delta > 0.0 && std::isfinite(options_.delta), "[", kType,
            "] delta must be a positive number, got ", options_.delta);
}

void Huber::emit(const LossContext& context) const {
    kernels::ElementLossArgs kind{};
    kind.kind = kernels::ElementLoss::huber;
    kind.delta = static_cast<float>(options_.delta);
    losses::emit_element_loss(context, kind);
}

}  // namespace striate
