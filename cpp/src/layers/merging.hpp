// What layers of several inputs share: element by element, where an input's axis of size 1 is used for all of
// another's.
#pragma once

#include <string>
#include <vector>

#include "kernels/args.hpp"
#include "striate/plan.hpp"

namespace striate::merging {

// The common shape. Throws ValueError, naming `owner`, for fewer than two inputs or more than `most`, and for shapes
// that differ other than by axes of size 1.
Shape infer(const std::vector<Shape>& inputs, size_t most, const std::string& owner);

// y = a (+, -, *, ...) b.
void emit_binary(PlanContext& plan, const char* what, kernels::BinaryKind kind, TensorId a, TensorId b, TensorId y,
                 float scale = 1.0f);

// The output: all inputs in their order, combined by `kind`, the last by `last`.
TensorId emit_all(PlanContext& plan, const char* what, kernels::BinaryKind kind, kernels::BinaryKind last,
                  float scale = 1.0f);

// The forward and the backward pass of the largest or the smallest of all inputs. Of equal inputs the first has the
// gradient, as TensorFlow defines it.
void emit_extreme(PlanContext& plan, const char* what, kernels::BinaryKind kind);

// Contributes `factor` * gradient to the gradient of an input, summed over the axes along which that was broadcast.
void emit_pass(BackwardContext& plan, size_t index, TensorId gradient, TensorId input, float factor);
// Contributes gradient * other, likewise.
void emit_product(BackwardContext& plan, size_t index, TensorId gradient, TensorId other, TensorId input);

}  // namespace striate::merging
