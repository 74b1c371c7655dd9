// The steps of element-wise activations and of softmax, shared by the layers that are one.
#pragma once

#include "kernels/args.hpp"
#include "striate/plan.hpp"

namespace striate {

struct ActivationFunction {
    kernels::ActivationKind kind = kernels::ActivationKind::linear;
    float alpha = 0.0f;                      // slope or scale
    float threshold = 0.0f, ceiling = 0.0f;  // of a general rectifier
};

void emit_activation(PlanContext& plan, const ActivationFunction& function);
void emit_softmax(PlanContext& plan);

}  // namespace striate
