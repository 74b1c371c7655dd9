#pragma once

#include "striate/layer.hpp"

namespace striate STRIATE_API {

struct SpatialDropout2DOptions {
    double rate = 0.0;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("rate", self.rate);
    }
};

// In training sets whole channels of a sample to 0 and scales the others up by 1 / (1 - rate) (Tompson et al. 2015).
class SpatialDropout2D : public LayerOf<SpatialDropout2D, SpatialDropout2DOptions> {
  public:
    static constexpr const char* kType = "SpatialDropout2D";
    // Throws ValueError unless 0 <= rate < 1.
    SpatialDropout2D(Options options, std::string name);

    Shape infer(const std::vector<Shape>& inputs) const override;
    void emit(PlanContext& plan) const override;
};

}  // namespace striate STRIATE_API
