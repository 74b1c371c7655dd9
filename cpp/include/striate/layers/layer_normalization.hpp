#pragma once

#include <optional>

#include "striate/layer.hpp"

namespace striate STRIATE_API {

struct LayerNormalizationOptions {
    std::vector<int64_t> axis{-1};
    double epsilon = 1e-3;
    bool center = true, scale = true;
    std::string beta_initializer = "zeros", gamma_initializer = "ones";
    std::optional<std::string> beta_regularizer = {}, gamma_regularizer = {};

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("axis", self.axis);
        visit("epsilon", self.epsilon);
        visit("center", self.center);
        visit("scale", self.scale);
        visit("beta_initializer", self.beta_initializer);
        visit("gamma_initializer", self.gamma_initializer);
        visit("beta_regularizer", self.beta_regularizer);
        visit("gamma_regularizer", self.gamma_regularizer);
    }
};

// Mean 0 and variance 1 over the last axes of each sample, then gamma and beta of their shape (Ba, Kiros & Hinton
// 2016).
class LayerNormalization : public LayerOf<LayerNormalization, LayerNormalizationOptions> {
  public:
    static constexpr const char* kType = "LayerNormalization";
    // Throws ValueError for an epsilon that is not positive.
    LayerNormalization(Options options, std::string name);

    // Throws ValueError unless the axes are the last one, two or three.
    Shape infer(const std::vector<Shape>& inputs) const override;
    std::vector<Parameter> parameters(const std::vector<Shape>& inputs) const override;
    void emit(PlanContext& plan) const override;

  private:
    size_t axes(const Shape& input) const;
};

}  // namespace striate STRIATE_API
