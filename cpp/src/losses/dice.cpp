#include "striate/losses/dice.hpp"

#include "losses/loss_steps.hpp"

namespace striate {

Shape Dice::target_shape(const Shape& output, const std::string&) const {
    losses::overlap_axes(options_.axis, output, kType);
    return output;
}

bool Dice::joins(const std::string& activation, const Shape& output) const {
    return activation == losses::overlap_activation(output);
}

bool Dice::takes_labels(const Shape& output) const {
    return output.back() > 1;
}

void Dice::check_targets(const Array& targets, const Shape& output) const {
    if (losses::are_labels(targets, output)) return losses::check_labels(targets, output, options_.ignore_class, kType);
    losses::check_ignore_needs_labels(options_.ignore_class, kType);
}

void Dice::emit(const LossContext& context) const {
    const Shape whole = context.plan.shape(context.prediction);
    const losses::Apart apart = losses::overlap_axes(options_.axis, Shape(whole.begin() + 1, whole.end()), kType);
    losses::emit_overlap_loss(context, apart, {false, 0.5, 0.5, options_.ignore_class});
}

}  // namespace striate
