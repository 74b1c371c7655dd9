#include "striate/optimizers/lion.hpp"

namespace striate {

Lion::Lion(Options options) : OptimizerOf(std::move(options)) {
    check_fraction(options_.beta_1, "beta_1", kType);
    check_fraction(options_.beta_2, "beta_2", kType);
}

UpdateRule Lion::rule() const {
    UpdateRule rule;
    rule.kind = UpdateRule::lion;
    rule.rate0 = options_.beta_1;
    rule.rate1 = options_.beta_2;
    rule.slot_of[0] = 0;
    return rule;
}

}  // namespace striate
