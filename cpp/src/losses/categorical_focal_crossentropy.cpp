#include "striate/losses/categorical_focal_crossentropy.hpp"

#include "losses/loss_steps.hpp"

namespace striate {

CategoricalFocalCrossentropy::CategoricalFocalCrossentropy(Options options) : LossOf(std::move(options)) {
    losses::check_smoothing(options_.label_smoothing, kType);
    losses::check_at_least_zero(options_.gamma, "gamma", kType);
    for (double alpha : options_.alpha) losses::check_at_least_zero(alpha, "alpha", kType);
}

Shape CategoricalFocalCrossentropy::target_shape(const Shape& output, const std::string& layer) const {
    losses::check_classes(output, kType, layer);
    const auto count = static_cast<int64_t>(options_.alpha.size());
    require(count == 1 || count == output.back(), "[", kType, "] alpha must be one number or one for each of the ",
            output.back(), " classes, got ", count);
    return output;
}

void CategoricalFocalCrossentropy::check_targets(const Array& targets, const Shape& output) const {
    if (losses::are_labels(targets, output)) return losses::check_labels(targets, output, options_.ignore_class, kType);
    losses::check_ignore_needs_labels(options_.ignore_class, kType);
    losses::check_probabilities(targets, kType);
}

void CategoricalFocalCrossentropy::emit(const LossContext& context) const {
    kernels::CategoricalLossArgs kind{};
    kind.from_logits = context.logits;
    kind.focal = true;
    kind.label_smoothing = static_cast<float>(options_.label_smoothing);
    kind.gamma = static_cast<float>(options_.gamma);
    losses::emit_categorical_loss(context, kind, options_.alpha, options_.ignore_class);
}

}  // namespace striate
