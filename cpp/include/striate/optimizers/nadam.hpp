#pragma once

#include "striate/optimizers/base.hpp"

namespace striate STRIATE_API {

struct NadamOptions : OptimizerOptions {
    double beta_1 = 0.9, beta_2 = 0.999, epsilon = 1e-7;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        common_fields(self, visit);
        visit("beta_1", self.beta_1);
        visit("beta_2", self.beta_2);
        visit("epsilon", self.epsilon);
    }
};

// Adam with Nesterov's momentum, whose share grows to beta_1 (Dozat, 2016).
class Nadam : public OptimizerOf<Nadam, NadamOptions> {
  public:
    static constexpr const char* kType = "Nadam";
    explicit Nadam(NadamOptions options);
    std::vector<std::string> slots() const override { return {"momentum", "velocity"}; }
    size_t scalar_count() const override { return 4; }
    void scalars(int64_t iteration, double rate, float* out) const override;

  protected:
    UpdateRule rule() const override;
};

}  // namespace striate STRIATE_API
