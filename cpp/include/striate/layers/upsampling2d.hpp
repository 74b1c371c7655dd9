#pragma once

#include "striate/layer.hpp"

namespace striate STRIATE_API {

struct UpSampling2DOptions {
    Pair size{2};
    std::string interpolation = "nearest";

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("size", self.size);
        visit("interpolation", self.interpolation);
    }
};

// Enlarges a map by whole factors: "nearest" repeats pixels, "bilinear" interpolates with half-pixel centres.
class UpSampling2D : public LayerOf<UpSampling2D, UpSampling2DOptions> {
  public:
    static constexpr const char* kType = "UpSampling2D";
    // Throws ValueError for factors that are not positive and an unknown interpolation.
    UpSampling2D(Options options, std::string name);

    Shape infer(const std::vector<Shape>& inputs) const override;
    void emit(PlanContext& plan) const override;
};

}  // namespace striate STRIATE_API
