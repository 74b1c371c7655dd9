#pragma once

#include "striate/layer.hpp"

namespace striate STRIATE_API {

struct MultiplyOptions {
    template <class Self, class Visitor>
    static void fields(Self&, Visitor&&) {}
};

// The product of two or more inputs, element by element. An axis of size 1 in one input is used for all of another's.
class Multiply : public LayerOf<Multiply, MultiplyOptions> {
  public:
    static constexpr const char* kType = "Multiply";
    using LayerOf::LayerOf;

    Shape infer(const std::vector<Shape>& inputs) const override;
    void emit(PlanContext& plan) const override;
};

}  // namespace striate STRIATE_API
