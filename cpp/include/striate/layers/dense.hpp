#pragma once

#include <optional>

#include "striate/layer.hpp"

namespace striate STRIATE_API {

struct DenseOptions {
    int64_t units = 0;
    std::optional<std::string> activation = {};
    bool use_bias = true;
    std::string kernel_initializer = "glorot_uniform", bias_initializer = "zeros";
    std::optional<std::string> kernel_regularizer = {}, bias_regularizer = {};

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("units", self.units);
        visit("activation", self.activation);
        visit("use_bias", self.use_bias);
        visit("kernel_initializer", self.kernel_initializer);
        visit("bias_initializer", self.bias_initializer);
        visit("kernel_regularizer", self.kernel_regularizer);
        visit("bias_regularizer", self.bias_regularizer);
    }
};

// Fully connected: input times kernel (features, units) plus bias (units), over the last axis of an input of any rank.
class Dense : public LayerOf<Dense, DenseOptions> {
  public:
    static constexpr const char* kType = "Dense";
    // Throws ValueError for units that are not positive, an unknown activation or initializer.
    Dense(Options options, std::string name);

    Shape infer(const std::vector<Shape>& inputs) const override;
    std::vector<Parameter> parameters(const std::vector<Shape>& inputs) const override;
    LayerPtr activation() const override { return activation_; }
    void emit(PlanContext& plan) const override;
    int64_t multiply_adds(const std::vector<Shape>& inputs) const override;

  private:
    LayerPtr activation_;
};

}  // namespace striate STRIATE_API
