#pragma once

#include "striate/layer.hpp"

namespace striate STRIATE_API {

struct FlattenOptions {
    template <class Self, class Visitor>
    static void fields(Self&, Visitor&&) {}
};

// All of a sample in one row, channels fastest.
class Flatten : public LayerOf<Flatten, FlattenOptions> {
  public:
    static constexpr const char* kType = "Flatten";
    using LayerOf::LayerOf;

    Shape infer(const std::vector<Shape>& inputs) const override { return {element_count(single(inputs))}; }
    Window window() const override { return {{1}, {1}, true}; }
    void emit(PlanContext& plan) const override;
};

}  // namespace striate STRIATE_API
