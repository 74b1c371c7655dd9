#pragma once

#include "striate/layer.hpp"

namespace striate STRIATE_API {

struct AverageOptions {
    template <class Self, class Visitor>
    static void fields(Self&, Visitor&&) {}
};

// The mean of two or more inputs, element by element. An axis of size 1 in one input is used for all of another's.
class Average : public LayerOf<Average, AverageOptions> {
  public:
    static constexpr const char* kType = "Average";
    using LayerOf::LayerOf;

    Shape infer(const std::vector<Shape>& inputs) const override;
    void emit(PlanContext& plan) const override;
};

}  // namespace striate STRIATE_API
