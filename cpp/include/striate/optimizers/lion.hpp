#pragma once

#include "striate/optimizers/base.hpp"

namespace striate STRIATE_API {

struct LionOptions : OptimizerOptions {
    double beta_1 = 0.9, beta_2 = 0.99;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        common_fields(self, visit);
        visit("beta_1", self.beta_1);
        visit("beta_2", self.beta_2);
    }
};

// The sign of a blend of the gradient and its moving mean (Chen et al. 2023).
class Lion : public OptimizerOf<Lion, LionOptions> {
  public:
    static constexpr const char* kType = "Lion";
    explicit Lion(Options options);
    std::vector<std::string> slots() const override { return {"momentum"}; }

  protected:
    UpdateRule rule() const override;
};

}  // namespace striate STRIATE_API
