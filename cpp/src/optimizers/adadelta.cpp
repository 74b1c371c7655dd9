#include "striate/optimizers/adadelta.hpp"

namespace striate {

Adadelta::Adadelta(Options options) : OptimizerOf(std::move(options)) {
    check_fraction(options_.rho, "rho", kType);
    check_not_negative(options_.epsilon, "epsilon", kType);
}

UpdateRule Adadelta::rule() const {
    UpdateRule rule;
    rule.kind = UpdateRule::adadelta;
    rule.rate0 = options_.rho;
    rule.epsilon = options_.epsilon;
    rule.slot_of[0] = 0;
    rule.slot_of[1] = 1;
    return rule;
}

}  // namespace striate
