#pragma once

#include "striate/layer.hpp"

namespace striate STRIATE_API {

struct SubtractOptions {
    template <class Self, class Visitor>
    static void fields(Self&, Visitor&&) {}
};

// The first of two inputs minus the second. An axis of size 1 in one input is used for all of another's.
class Subtract : public LayerOf<Subtract, SubtractOptions> {
  public:
    static constexpr const char* kType = "Subtract";
    using LayerOf::LayerOf;

    Shape infer(const std::vector<Shape>& inputs) const override;
    void emit(PlanContext& plan) const override;
};

}  // namespace striate STRIATE_API
