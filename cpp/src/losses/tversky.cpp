#include "striate/losses/tversky.hpp"

#include "losses/loss_steps.hpp"

namespace striate {
namespace {

losses::OverlapKind kind_of(const TverskyOptions& options) {
    return {{true, options.alpha, options.beta, options.smooth.value_or(-1.0)}, options.axis, options.ignore_class};
}

}  // namespace

Tversky::Tversky(Options options) : LossOf(std::move(options)) {
    losses::check_at_least_zero(options_.alpha, "alpha", kType);
    losses::check_at_least_zero(options_.beta, "beta", kType);
    losses::check_at_least_zero(options_.smooth.value_or(0.0), "smooth", kType);
}

Shape Tversky::target_shape(const Shape& output, const std::string&) const {
    losses::check_overlap_axes(options_.axis, output, kType);
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
    losses::check_probabilities(targets, kType);
}

void Tversky::emit(const LossContext& context) const {
    losses::emit_overlap_loss(context, kind_of(options_));
}

int64_t Tversky::sum_count(const Shape& output) const {
    return losses::overlap_sum_count(kind_of(options_), output);
}

double Tversky::value(const double* sums, const Shape& output) const {
    return losses::overlap_value(kind_of(options_), sums, output);
}

}  // namespace striate
