#pragma once

#include <optional>

#include "striate/layer.hpp"

namespace striate STRIATE_API {

struct BatchNormalizationOptions {
    int64_t axis = -1;
    double momentum = 0.99, epsilon = 1e-3;
    bool center = true, scale = true;
    std::string beta_initializer = "zeros", gamma_initializer = "ones";
    std::string moving_mean_initializer = "zeros", moving_variance_initializer = "ones";
    std::optional<std::string> beta_regularizer = {}, gamma_regularizer = {};
    bool unbiased_variance = false;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("axis", self.axis);
        visit("momentum", self.momentum);
        visit("epsilon", self.epsilon);
        visit("center", self.center);
        visit("scale", self.scale);
        visit("beta_initializer", self.beta_initializer);
        visit("gamma_initializer", self.gamma_initializer);
        visit("moving_mean_initializer", self.moving_mean_initializer);
        visit("moving_variance_initializer", self.moving_variance_initializer);
        visit("beta_regularizer", self.beta_regularizer);
        visit("gamma_regularizer", self.gamma_regularizer);
        visit("unbiased_variance", self.unbiased_variance);
    }
};

// Each channel brought to mean 0 and variance 1 over the batch, then scaled by gamma and shifted by beta (Ioffe &
// Szegedy 2015). In inference, and when frozen, by the moving averages that training keeps: moving = momentum * moving
// + (1 - momentum) * batch. With `unbiased_variance`, the moving variance takes the variance that is divided by the
// number of values less 1, as PyTorch does.
class BatchNormalization : public LayerOf<BatchNormalization, BatchNormalizationOptions> {
  public:
    static constexpr const char* kType = "BatchNormalization";
    // Throws ValueError for a momentum outside [0, 1) and an epsilon that is not positive.
    BatchNormalization(Options options, std::string name);

    Shape infer(const std::vector<Shape>& inputs) const override;
    std::vector<Parameter> parameters(const std::vector<Shape>& inputs) const override;
    void emit(PlanContext& plan) const override;
};

}  // namespace striate STRIATE_API
