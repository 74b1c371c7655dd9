#pragma once

#include "striate/layer.hpp"

namespace striate STRIATE_API {

struct ELUOptions {
    double alpha = 1.0;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("alpha", self.alpha);
    }
};

// x above 0, alpha * (exp(x) - 1) below (Clevert et al. 2016).
class ELU : public LayerOf<ELU, ELUOptions> {
  public:
    static constexpr const char* kType = "ELU";
    // Throws ValueError unless alpha is a positive number.
    ELU(Options options, std::string name);

    Shape infer(const std::vector<Shape>& inputs) const override { return single(inputs); }
    bool elementwise() const override { return true; }
    void emit(PlanContext& plan) const override;
};

}  // namespace striate STRIATE_API
