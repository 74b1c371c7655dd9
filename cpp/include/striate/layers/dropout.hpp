#pragma once

#include "striate/layer.hpp"

namespace striate STRIATE_API {

struct DropoutOptions {
    double rate = 0.0;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("rate", self.rate);
    }
};

// In training sets a share of the inputs to 0 and scales the others up by 1 / (1 - rate) (Srivastava et al. 2014).
class Dropout : public LayerOf<Dropout, DropoutOptions> {
  public:
    static constexpr const char* kType = "Dropout";
    // Throws ValueError unless 0 <= rate < 1.
    Dropout(Options options, std::string name);

    Shape infer(const std::vector<Shape>& inputs) const override;
    void emit(PlanContext& plan) const override;
};

}  // namespace striate STRIATE_API
