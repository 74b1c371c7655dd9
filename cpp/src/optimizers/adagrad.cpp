#include "striate/optimizers/adagrad.hpp"

namespace striate {

Adagrad::Adagrad(Options options) : OptimizerOf(std::move(options)) {
    check_not_negative(options_.initial_accumulator_value, "initial_accumulator_value", kType);
    check_not_negative(options_.epsilon, "epsilon", kType);
}

UpdateRule Adagrad::rule() const {
    UpdateRule rule;
    rule.kind = UpdateRule::adagrad;
    rule.epsilon = options_.epsilon;
    rule.slot_of[0] = 0;
    return rule;
}

}  // namespace striate
