#pragma once

#include "striate/layer.hpp"

namespace striate STRIATE_API {

struct ReshapeOptions {
    std::vector<int64_t> target_shape = {};  // of one sample; at most one -1, which follows from the others

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("target_shape", self.target_shape);
    }
};

// The same values in another shape.
class Reshape : public LayerOf<Reshape, ReshapeOptions> {
  public:
    static constexpr const char* kType = "Reshape";
    // Throws ValueError for sizes below 1 other than one -1.
    Reshape(Options options, std::string name);

    Shape infer(const std::vector<Shape>& inputs) const override;
    void emit(PlanContext& plan) const override;
};

}  // namespace striate STRIATE_API
