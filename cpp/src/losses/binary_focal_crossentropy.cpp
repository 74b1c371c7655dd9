#include "striate/losses/binary_focal_crossentropy.hpp"

#include "losses/loss_steps.hpp"

namespace striate {

BinaryFocalCrossentropy::BinaryFocalCrossentropy(Options options) : LossOf(std::move(options)) {
    losses::check_smoothing(options_.label_smoothing, kType);
    losses::check_at_least_zero(options_.gamma, "gamma", kType);
    require(options_.alpha >= 0.0 && options_.alpha <= 1.0, "[", kType, "] alpha must be within 0 to 1, got ",
            options_.alpha);
}

void BinaryFocalCrossentropy::check_targets(const Array& targets, const Shape&) const {
    losses::check_probabilities(targets, kType);
}

void BinaryFocalCrossentropy::emit(const LossContext& context) const {
    kernels::ElementLossArgs kind{};
    kind.kind = context.logits ? kernels::ElementLoss::binary_focal_logits : kernels::ElementLoss::binary_focal;
    kind.label_smoothing = static_cast<float>(options_.label_smoothing);
    kind.gamma = static_cast<float>(options_.gamma);
    kind.alpha = static_cast<float>(options_.alpha);
    kind.balanced = options_.apply_class_balancing;
    losses::emit_element_loss(context, kind);
}

}  // namespace striate
