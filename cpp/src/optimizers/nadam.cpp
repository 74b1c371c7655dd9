#include "striate/optimizers/nadam.hpp"

#include <algorithm>
#include <cmath>

namespace striate {
namespace {

constexpr double kDecay = 0.96;           // of the distance of the momentum from beta_1 (Dozat, 2016)
constexpr int64_t kChangingSteps = 2000;  // 0.96^2000 is far below the rounding of 1: later factors are 1

double warm(int64_t step) {
    return 1.0 - 0.5 * std::pow(kDecay, static_cast<double>(step));
}

}  // namespace

Nadam::Nadam(NadamOptions options) : OptimizerOf(std::move(options)) {
    check_fraction(options_.beta_1, "beta_1", kType);
    check_fraction(options_.beta_2, "beta_2", kType);
    check_not_negative(options_.epsilon, "epsilon", kType);
}

// The rate, the factors of the mean and of the gradient, and that of the root of the mean square.
void Nadam::scalars(int64_t iteration, double rate, float* out) const {
    const int64_t step = iteration + 1;
    double product = std::pow(options_.beta_1, static_cast<double>(step));  // of the momenta of all steps so far
    for (int64_t i = 1; i <= std::min(step, kChangingSteps); ++i) product *= warm(i);
    const double now = options_.beta_1 * warm(step), next = options_.beta_1 * warm(step + 1);
    out[0] = static_cast<float>(rate);
    out[1] = static_cast<float>(rate * next / (1.0 - product * next));
    out[2] = static_cast<float>(rate * (1.0 - now) / (1.0 - product));
    out[3] = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(options_.beta_2, static_cast<double>(step))));
}

UpdateRule Nadam::rule() const {
    UpdateRule rule;
    rule.kind = UpdateRule::nadam;
    rule.rate0 = options_.beta_1;
    rule.rate1 = options_.beta_2;
    rule.epsilon = options_.epsilon;
    rule.slot_of[0] = 0;
    rule.slot_of[1] = 1;
    return rule;
}

}  // namespace striate
