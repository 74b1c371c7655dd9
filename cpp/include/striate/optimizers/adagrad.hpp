#pragma once

#include "striate/optimizers/base.hpp"

namespace striate STRIATE_API {

struct AdagradOptions : OptimizerOptions {
    double initial_accumulator_value = 0.1, epsilon = 1e-7;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        common_fields(self, visit);
        visit("initial_accumulator_value", self.initial_accumulator_value);
        visit("epsilon", self.epsilon);
    }
};

// Divides the gradient by the root of the sum of all its squares so far (Duchi, Hazan & Singer 2011).
class Adagrad : public OptimizerOf<Adagrad, AdagradOptions> {
  public:
    static constexpr const char* kType = "Adagrad";
    explicit Adagrad(Options options);
    std::vector<std::string> slots() const override { return {"accumulator"}; }
    float initial(size_t) const override { return static_cast<float>(options_.initial_accumulator_value); }

  protected:
    UpdateRule rule() const override;
};

}  // namespace striate STRIATE_API
