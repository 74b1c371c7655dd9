#include "striate/losses/binary_crossentropy.hpp"

#include "losses/loss_steps.hpp"

namespace striate {

BinaryCrossentropy::BinaryCrossentropy(Options options) : LossOf(std::move(options)) {
    losses::check_smoothing(options_.label_smoothing, kType);
}

void BinaryCrossentropy::check_targets(const Array& targets, const Shape&) const {
    losses::check_probabilities(targets, kType);
}

void BinaryCrossentropy::emit(const LossContext& context) const {
    kernels::ElementLossArgs kind{};
    kind.kind =
        context.logits ? kernels::ElementLoss::binary_crossentropy_logits : kernels::ElementLoss::binary_crossentropy;
    kind.label_smoothing = static_cast<float>(options_.label_smoothing);
    losses::emit_element_loss(context, kind);
}

}  // namespace striate
