#pragma once

#include "striate/layer.hpp"

namespace striate STRIATE_API {

struct LeakyReLUOptions {
    double negative_slope = 0.3;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("negative_slope", self.negative_slope);
    }
};

// x above 0, negative_slope * x below (Maas et al. 2013).
class LeakyReLU : public LayerOf<LeakyReLU, LeakyReLUOptions> {
  public:
    static constexpr const char* kType = "LeakyReLU";
    // Throws ValueError for a negative slope.
    LeakyReLU(Options options, std::string name);

    Shape infer(const std::vector<Shape>& inputs) const override { return single(inputs); }
    bool elementwise() const override { return true; }
    void emit(PlanContext& plan) const override;
};

}  // namespace striate STRIATE_API
