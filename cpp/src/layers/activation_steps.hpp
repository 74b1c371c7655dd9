// The steps of element-wise activations and of softmax, shared by the layers that are one.
#pragma once

#include <optional>

#include "kernels/args.hpp"
#include "striate/layer.hpp"
#include "striate/plan.hpp"

namespace striate {

struct ActivationFunction {
    kernels::ActivationKind kind = kernels::ActivationKind::linear;
    float alpha = 0.0f;                      // slope or scale
    float threshold = 0.0f, ceiling = 0.0f;  // of a general rectifier
};

// The function that the layer is, if it is an element-wise activation.
std::optional<ActivationFunction> activation_function(const Layer& layer);

// As the layer that is planned, with its backward pass.
void emit_activation(PlanContext& plan, const ActivationFunction& function);
// y = f(x) alone; x may be y.
void emit_activation(PlanContext& plan, const ActivationFunction& function, TensorId x, TensorId y);
void emit_softmax(PlanContext& plan);

}  // namespace striate
