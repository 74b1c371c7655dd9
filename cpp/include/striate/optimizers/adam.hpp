#pragma once

#include "striate/optimizers/base.hpp"

namespace striate STRIATE_API {

struct AdamOptions : OptimizerOptions {
    double beta_1 = 0.9, beta_2 = 0.999, epsilon = 1e-7;
    bool amsgrad = false;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        common_fields(self, visit);
        visit("beta_1", self.beta_1);
        visit("beta_2", self.beta_2);
        visit("epsilon", self.epsilon);
        visit("amsgrad", self.amsgrad);
    }
};

// Kingma & Ba 2015: the moving mean of the gradient over the root of the moving mean of its square, both corrected for
// their start at zero; `amsgrad` keeps the largest of the latter (Reddi, Kale & Kumar 2018).
template <class Derived, class OptionsType>
class AdamLike : public OptimizerOf<Derived, OptionsType> {
  public:
    explicit AdamLike(OptionsType options);
    std::vector<std::string> slots() const override;
    size_t scalar_count() const override { return 2; }
    void scalars(int64_t iteration, double rate, float* out) const override;

  protected:
    UpdateRule rule() const override;
};

class Adam : public AdamLike<Adam, AdamOptions> {
  public:
    static constexpr const char* kType = "Adam";
    using AdamLike::AdamLike;
};

struct AdamWOptions : AdamOptions {
    AdamWOptions() { weight_decay = 0.004; }
};

// Adam with weight decay on by default (Loshchilov & Hutter 2019).
class AdamW : public AdamLike<AdamW, AdamWOptions> {
  public:
    static constexpr const char* kType = "AdamW";
    using AdamLike::AdamLike;
};

}  // namespace striate STRIATE_API
