#include "striate/losses/categorical_crossentropy.hpp"

#include "losses/loss_steps.hpp"

namespace striate {

CategoricalCrossentropy::CategoricalCrossentropy(Options options) : LossOf(std::move(options)) {
    losses::check_smoothing(options_.label_smoothing, kType);
}

Shape CategoricalCrossentropy::target_shape(const Shape& output, const std::string& layer) const {
    losses::check_classes(output, kType, layer);
    return output;
}

void CategoricalCrossentropy::check_targets(const Array& targets, const Shape&) const {
    losses::check_probabilities(targets, kType);
}

void CategoricalCrossentropy::emit(const LossContext& context) const {
    kernels::CategoricalLossArgs kind{};
    kind.from_logits = context.logits;
    kind.label_smoothing = static_cast<float>(options_.label_smoothing);
    losses::emit_categorical_loss(context, kind, {});
}

}  // namespace striate
