#pragma once

#include "striate/layer.hpp"

namespace striate STRIATE_API {

struct MaximumOptions {
    template <class Self, class Visitor>
    static void fields(Self&, Visitor&&) {}
};

// The largest of two or more inputs, element by element. An axis of size 1 in one input is used for all of another's.
// Of equal inputs the first has the gradient, as TensorFlow defines it; PyTorch and JAX divide it between them.
class Maximum : public LayerOf<Maximum, MaximumOptions> {
  public:
    static constexpr const char* kType = "Maximum";
    using LayerOf::LayerOf;

    Shape infer(const std::vector<Shape>& inputs) const override;
    void emit(PlanContext& plan) const override;
};

}  // namespace striate STRIATE_API
