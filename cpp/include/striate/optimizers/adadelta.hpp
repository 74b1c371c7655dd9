#pragma once

#include "striate/optimizers/base.hpp"

namespace striate STRIATE_API {

struct AdadeltaOptions : OptimizerOptions {
    double rho = 0.95, epsilon = 1e-7;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        common_fields(self, visit);
        visit("rho", self.rho);
        visit("epsilon", self.epsilon);
    }
};

// Scales the step by the ratio of the moving root mean squares of steps and gradients (Zeiler 2012).
class Adadelta : public OptimizerOf<Adadelta, AdadeltaOptions> {
  public:
    static constexpr const char* kType = "Adadelta";
    explicit Adadelta(Options options);
    std::vector<std::string> slots() const override { return {"accumulated_gradient", "accumulated_step"}; }

  protected:
    UpdateRule rule() const override;
};

}  // namespace striate STRIATE_API
