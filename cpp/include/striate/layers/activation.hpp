#pragma once

#include <optional>

#include "striate/layer.hpp"

namespace striate STRIATE_API {

struct ActivationOptions {
    std::optional<std::string> activation = {};

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("activation", self.activation);
    }
};

// An activation by its name: relu, relu6, leaky_relu (slope 0.2), elu, sigmoid, tanh, softplus, silu or swish, gelu (by
// the error function), hard_sigmoid, hard_swish or hard_silu, softmax (over the last axis), linear; and the functions
// exponential, log, sqrt, abs, reciprocal, reciprocal_no_nan
// (0 at 0), erf.
class Activation : public LayerOf<Activation, ActivationOptions> {
  public:
    static constexpr const char* kType = "Activation";
    // Throws ValueError for a name that there is none of.
    Activation(Options options, std::string name);

    Shape infer(const std::vector<Shape>& inputs) const override { return single(inputs); }
    bool elementwise() const override { return true; }
    std::string joint_activation() const override;
    void emit(PlanContext& plan) const override;
};

// The layer that a layer's `activation` argument represents; null for none and "linear". Throws ValueError naming
// `owner`.
LayerPtr activation_layer(const std::optional<std::string>& activation, const std::string& owner);

}  // namespace striate STRIATE_API
