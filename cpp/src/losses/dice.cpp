#include "striate/losses/dice.hpp"

#include "losses/loss_steps.hpp"

namespace striate {
namespace {

losses::OverlapKind kind_of(const DiceOptions& options) {
    return {{false, 0.5, 0.5, options.smooth.value_or(-1.0)}, options.axis, options.ignore_class};
}

}  // namespace

Dice::Dice(Options options) : LossOf(std::move(options)) {
    losses::check_at_least_zero(options_.smooth.value_or(0.0), "smooth", kType);
}

Shape Dice::target_shape(const Shape& output, const std::string&) const {
    losses::check_overlap_axes(options_.axis, output, kType);
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
    losses::check_probabilities(targets, kType);
}

void Dice::emit(const LossContext& context) const {
    losses::emit_overlap_loss(context, kind_of(options_));
}

int64_t Dice::sum_count(const Shape& output) const {
    return losses::overlap_sum_count(kind_of(options_), output);
}

double Dice::value(const double* sums, const Shape& output) const {
    return losses::overlap_value(kind_of(options_), sums, output);
}

}  // namespace striate
