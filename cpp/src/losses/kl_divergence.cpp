#include "striate/losses/kl_divergence.hpp"

#include "losses/loss_steps.hpp"

namespace striate {

void KLDivergence::check_targets(const Array& targets, const Shape&) const {
    losses::check_probabilities(targets, kType);
}

void KLDivergence::emit(const LossContext& context) const {
    kernels::ElementLossArgs kind{};
    kind.kind = kernels::ElementLoss::kl_divergence;
    losses::emit_element_loss(context, kind);
}

}  // namespace striate
