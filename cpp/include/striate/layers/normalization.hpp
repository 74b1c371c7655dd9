#pragma once

#include <optional>

#include "striate/layer.hpp"

namespace striate STRIATE_API {

struct NormalizationOptions {
    std::optional<int64_t> axis = -1;                             // null: one mean and variance for everything
    std::optional<std::vector<double>> mean = {}, variance = {};  // one number, or one for each channel
    bool invert = false;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("axis", self.axis);
        visit("mean", self.mean);
        visit("variance", self.variance);
        visit("invert", self.invert);
    }
};

// (x - mean) / sqrt(variance) with statistics of the data that are given beforehand; inverted, the opposite.
class Normalization : public LayerOf<Normalization, NormalizationOptions> {
  public:
    static constexpr const char* kType = "Normalization";
    // Throws ValueError when only one of mean and variance is given, and for a negative variance.
    Normalization(Options options, std::string name);

    // Throws ValueError when there are no statistics yet.
    Shape infer(const std::vector<Shape>& inputs) const override;
    bool elementwise() const override { return true; }
    void emit(PlanContext& plan) const override;
};

}  // namespace striate STRIATE_API
