#pragma once

#include <optional>

#include "striate/layer.hpp"

namespace striate STRIATE_API {

struct ReLUOptions {
    std::optional<double> max_value = {};
    double negative_slope = 0.0, threshold = 0.0;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("max_value", self.max_value);
        visit("negative_slope", self.negative_slope);
        visit("threshold", self.threshold);
    }
};

// min(max(x, 0), max_value), and below the threshold negative_slope * (x - threshold) (Nair & Hinton 2010).
class ReLU : public LayerOf<ReLU, ReLUOptions> {
  public:
    static constexpr const char* kType = "ReLU";
    // Throws ValueError for a negative argument.
    ReLU(Options options, std::string name);

    Shape infer(const std::vector<Shape>& inputs) const override { return single(inputs); }
    bool elementwise() const override { return true; }
    void emit(PlanContext& plan) const override;
};

}  // namespace striate STRIATE_API
