#pragma once

#include "striate/layer.hpp"

namespace striate STRIATE_API {

struct MinimumOptions {
    template <class Self, class Visitor>
    static void fields(Self&, Visitor&&) {}
};

// The smallest of two or more inputs, element by element, as Maximum is the largest.
class Minimum : public LayerOf<Minimum, MinimumOptions> {
  public:
    static constexpr const char* kType = "Minimum";
    using LayerOf::LayerOf;

    Shape infer(const std::vector<Shape>& inputs) const override;
    void emit(PlanContext& plan) const override;
};

}  // namespace striate STRIATE_API
