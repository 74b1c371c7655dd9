#include "striate/optimizers/sgd.hpp"

namespace striate {

SGD::SGD(Options options) : OptimizerOf(std::move(options)) {
    check_fraction(options_.momentum, "momentum", kType);
}

std::vector<std::string> SGD::slots() const {
    if (options_.momentum == 0.0) return {};
    return {"momentum"};
}

UpdateRule SGD::rule() const {
    UpdateRule rule;
    rule.kind = UpdateRule::sgd;
    rule.rate0 = options_.momentum;
    rule.nesterov = options_.nesterov;
    if (options_.momentum != 0.0) rule.slot_of[0] = 0;
    return rule;
}

}  // namespace striate
