#include "striate/optimizers/adam.hpp"

#include <cmath>

namespace striate {

template <class Derived, class OptionsType>
AdamLike<Derived, OptionsType>::AdamLike(OptionsType options) : OptimizerOf<Derived, OptionsType>(std::move(options)) {
    check_fraction(this->options_.beta_1, "beta_1", Derived::kType);
    check_fraction(this->options_.beta_2, "beta_2", Derived::kType);
    check_not_negative(this->options_.epsilon, "epsilon", Derived::kType);
}

template <class Derived, class OptionsType>
std::vector<std::string> AdamLike<Derived, OptionsType>::slots() const {
    std::vector<std::string> names{"momentum", "velocity"};
    if (this->options_.amsgrad) names.emplace_back("velocity_hat");
    return names;
}

template <class Derived, class OptionsType>
void AdamLike<Derived, OptionsType>::scalars(int64_t iteration, double rate, float* out) const {
    const auto step = static_cast<double>(iteration + 1);
    out[0] = static_cast<float>(rate);
    out[1] = static_cast<float>(rate * std::sqrt(1.0 - std::pow(this->options_.beta_2, step)) /
                                (1.0 - std::pow(this->options_.beta_1, step)));
}

template <class Derived, class OptionsType>
UpdateRule AdamLike<Derived, OptionsType>::rule() const {
    UpdateRule rule;
    rule.kind = UpdateRule::adam;
    rule.rate0 = this->options_.beta_1;
    rule.rate1 = this->options_.beta_2;
    rule.epsilon = this->options_.epsilon;
    rule.amsgrad = this->options_.amsgrad;
    rule.slot_of[0] = 0;
    rule.slot_of[1] = 1;
    if (this->options_.amsgrad) rule.slot_of[2] = 2;
    return rule;
}

template class AdamLike<Adam, AdamOptions>;
template class AdamLike<AdamW, AdamWOptions>;

}  // namespace striate
