#pragma once

#include "striate/layer.hpp"

namespace striate STRIATE_API {

struct ConcatenateOptions {
    int64_t axis = -1;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("axis", self.axis);
    }
};

// Inputs side by side along an axis.
class Concatenate : public LayerOf<Concatenate, ConcatenateOptions> {
  public:
    static constexpr const char* kType = "Concatenate";
    using LayerOf::LayerOf;

    // Throws ValueError for fewer than two inputs, an axis that they have not, and shapes that differ along other axes.
    Shape infer(const std::vector<Shape>& inputs) const override;
    void emit(PlanContext& plan) const override;

    // The axis as it counts without the batch. Throws ValueError when there is none.
    size_t axis(const Shape& input) const;
};

}  // namespace striate STRIATE_API
