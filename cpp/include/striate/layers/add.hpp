#pragma once

#include "striate/layer.hpp"

namespace striate STRIATE_API {

struct AddOptions {
    template <class Self, class Visitor>
    static void fields(Self&, Visitor&&) {}
};

// The sum of two or more inputs. An axis of size 1 in one input is used for all of another's.
class Add : public LayerOf<Add, AddOptions> {
  public:
    static constexpr const char* kType = "Add";
    using LayerOf::LayerOf;

    Shape infer(const std::vector<Shape>& inputs) const override;
    void emit(PlanContext& plan) const override;
};

}  // namespace striate STRIATE_API
