#pragma once

#include "striate/layer.hpp"

namespace striate STRIATE_API {

struct RescalingOptions {
    std::vector<double> scale{1.0}, offset{0.0};  // one number, or one for each channel

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("scale", self.scale);
        visit("offset", self.offset);
    }
};

// x * scale + offset.
class Rescaling : public LayerOf<Rescaling, RescalingOptions> {
  public:
    static constexpr const char* kType = "Rescaling";
    // Throws ValueError for numbers that are not finite.
    Rescaling(Options options, std::string name);

    Shape infer(const std::vector<Shape>& inputs) const override;
    bool elementwise() const override { return true; }
    void emit(PlanContext& plan) const override;
};

}  // namespace striate STRIATE_API
