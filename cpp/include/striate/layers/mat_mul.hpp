#pragma once

#include "striate/layer.hpp"

namespace striate STRIATE_API {

struct MatMulOptions {
    bool transpose_b = false;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("transpose_b", self.transpose_b);
    }
};

// The product of two inputs as matrices over their last two axes: (..., m, k) and (..., k, n), or (..., n, k) if
// transpose_b, give (..., m, n).
class MatMul : public LayerOf<MatMul, MatMulOptions> {
  public:
    static constexpr const char* kType = "MatMul";
    using LayerOf::LayerOf;

    Shape infer(const std::vector<Shape>& inputs) const override;
    Window window() const override { return {{1}, {1}, true}; }
    int64_t multiply_adds(const std::vector<Shape>& inputs) const override;
    void emit(PlanContext& plan) const override;
};

}  // namespace striate STRIATE_API
