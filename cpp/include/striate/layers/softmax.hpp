#pragma once

#include "striate/layer.hpp"

namespace striate STRIATE_API {

struct SoftmaxOptions {
    int64_t axis = -1;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("axis", self.axis);
    }
};

// exp(x) / sum(exp(x)) over the last axis.
class Softmax : public LayerOf<Softmax, SoftmaxOptions> {
  public:
    static constexpr const char* kType = "Softmax";
    using LayerOf::LayerOf;

    // Throws ValueError unless the axis is the last.
    Shape infer(const std::vector<Shape>& inputs) const override;
    bool elementwise() const override { return true; }  // as far as memory goes
    std::string joint_activation() const override { return "softmax"; }
    void emit(PlanContext& plan) const override;
};

}  // namespace striate STRIATE_API
