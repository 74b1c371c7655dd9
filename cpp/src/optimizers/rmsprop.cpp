#include "striate/optimizers/rmsprop.hpp"

namespace striate {

RMSprop::RMSprop(Options options) : OptimizerOf(std::move(options)) {
    check_fraction(options_.rho, "rho", kType);
    check_fraction(options_.momentum, "momentum", kType);
    check_not_negative(options_.epsilon, "epsilon", kType);
}

std::vector<std::string> RMSprop::slots() const {
    std::vector<std::string> names{"velocity"};
    if (options_.momentum != 0.0) names.emplace_back("momentum");
    if (options_.centered) names.emplace_back("average_gradient");
    return names;
}

UpdateRule RMSprop::rule() const {
    UpdateRule rule;
    rule.kind = UpdateRule::rmsprop;
    rule.rate0 = options_.rho;
    rule.rate1 = options_.momentum;
    rule.epsilon = options_.epsilon;
    rule.centered = options_.centered;
    int next = 0;
    rule.slot_of[0] = next++;
    if (options_.momentum != 0.0) rule.slot_of[1] = next++;
    if (options_.centered) rule.slot_of[2] = next;
    return rule;
}

}  // namespace striate
