#include "striate/losses/dice.hpp"

#include "losses/loss_steps.hpp"

namespace striate {

Shape Dice::target_shape(const Shape& output, const std::string&) const {
    losses::overlap_axes(options_.axis, output, kType);
    return output;
}

void Dice::emit(const LossContext& context) const {
    const Shape& whole = context.plan.shape(context.prediction);
    const losses::Apart apart = losses::overlap_axes(options_.axis, Shape(whole.begin() + 1, whole.end()), kType);
    losses::emit_overlap_loss(context, apart, false, 0.5, 0.5, kType);
}

}  // namespace striate
