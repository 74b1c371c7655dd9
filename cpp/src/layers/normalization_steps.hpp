// Steps and checks that the normalisation layers share.
#pragma once

#include <string>

#include "kernels/args.hpp"
#include "striate/layers/batch_normalization.hpp"
#include "striate/plan.hpp"

namespace striate::normalization {

void check_epsilon(double epsilon, const std::string& owner);
// Throws ValueError, naming `owner`, unless `axis` is the channels'.
void check_last_axis(int64_t axis, const Shape& input, const std::string& owner);

// scale = gamma / sqrt(variance + epsilon), and inverse_std likewise without gamma, which means 1 when it is not
// valid.
void emit_fixed_statistics(PlanContext& plan, TensorId variance, TensorId gamma, float epsilon, TensorId inverse_std,
                           TensorId scale);

// The activation of (x - mean) * scale + shift, channel by channel. A mean or a shift that is not valid means 0.
struct Affine {
    TensorId mean, scale, shift;
    int64_t image_stride = 0;  // c when mean and scale differ from image to image
    kernels::ActivationKind activation = kernels::ActivationKind::linear;
    bool applies() const { return activation != kernels::ActivationKind::linear; }
};

void emit_affine(PlanContext& plan, TensorId x, TensorId y, const Affine& affine);

// Sums of g and of g * (x - mean) for every channel, in `pieces` partial sums for each of `groups`; g is dy as it
// passes through the activation.
TensorId emit_gradient_moments(PlanContext& plan, TensorId x, TensorId dy, const Affine& affine, int64_t groups,
                               int64_t pieces);

// What the statistics' dependence on x adds to its gradient: (x - mean) * slope + offset. Not valid: nothing.
struct Slope {
    TensorId slope, offset;
};

// The gradient with respect to the input: g * scale and what `slope` adds.
void emit_affine_backward(BackwardContext& plan, TensorId x, TensorId dy, const Affine& affine, const Slope& slope);

// Batch normalisation in parts, for code that does more than one thing in a pass.
struct BatchNorm {
    Affine affine;
    TensorId gamma, inverse_std;
    double pixels = 0;              // of the batch
    bool batch_statistics = false;  // else moving averages
};

// The statistics of x, or the moving averages, and what follows from them; moves the averages in training.
BatchNorm emit_statistics(PlanContext& plan, const BatchNormalizationOptions& options, TensorId x);
// Whether the backward pass needs emit_gradients().
bool wants_sums(const PlanContext& plan, const BatchNorm& norm);
// The gradients of gamma and beta, and the slope for x's. `x` and `dy` may leave out elements whose gradient is 0.
Slope emit_gradients(BackwardContext& plan, const BatchNorm& norm, TensorId x, TensorId dy);

// The whole layer, and the activation behind it, which fits_normalization().
void emit_batch_normalization(PlanContext& plan, const BatchNormalizationOptions& options,
                              kernels::ActivationKind activation);

}  // namespace striate::normalization
