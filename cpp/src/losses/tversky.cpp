#include "striate/losses/tversky.hpp"

#include "losses/loss_steps.hpp"

namespace striate {

Tversky::Tversky(Options options) : LossOf(std::move(options)) {
    losses::check_at_least_zero(options_.alpha, "alpha", kType);
    losses::check_at_least_zero(options_.beta, "beta", kType);
}

Shape Tversky::target_shape(const Shape& output, const std::string&) const {
    losses::overlap_axes(options_.axis, output, kType);
    return output;
}

bool Tversky::joins(const std::string& activation, const Shape& output) const {
    return activation == losses::overlap_activation(output);
}

bool Tversky::takes_labels(const Shape& output) const {
    return output.back() > 1;
}

void Tversky::check_targets(const Array& targets, const Shape& output) const {
    if (losses::are_labels(targets, output)) return losses::check_labels(targets, output, options_.ignore_class, kType);
    losses::check_ignore_needs_labels(options_.ignore_class, kType);
}

void Tversky::emit(const LossContext& context) const {
    const Shape whole = context.plan.shape(context.prediction);
    const losses::Apart apart = losses::overlap_axes(options_.axis, Shape(whole.begin() + 1, whole.end()), kType);
    losses::emit_overlap_loss(context, apart, {true, options_.alpha, options_.beta, options_.ignore_class});
}

}  // namespace striate
