#pragma once

#include "striate/optimizers/base.hpp"

namespace striate STRIATE_API {

struct RMSpropOptions : OptimizerOptions {
    double rho = 0.9, momentum = 0.0, epsilon = 1e-7;
    bool centered = false;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        common_fields(self, visit);
        visit("rho", self.rho);
        visit("momentum", self.momentum);
        visit("epsilon", self.epsilon);
        visit("centered", self.centered);
    }
};

// Divides the gradient by a moving root mean square of it (Tieleman & Hinton 2012), or, centered, by its standard
// deviation.
class RMSprop : public OptimizerOf<RMSprop, RMSpropOptions> {
  public:
    static constexpr const char* kType = "RMSprop";
    explicit RMSprop(Options options);
    std::vector<std::string> slots() const override;

  protected:
    UpdateRule rule() const override;
};

}  // namespace striate STRIATE_API
