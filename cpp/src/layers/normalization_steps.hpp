// Steps and checks that the normalisation layers share.
#pragma once

#include <string>

#include "striate/plan.hpp"

namespace striate::normalization {

void check_epsilon(double epsilon, const std::string& owner);
// Throws ValueError, naming `owner`, unless `axis` is the channels'.
void check_last_axis(int64_t axis, const Shape& input, const std::string& owner);

// Null when there is no such tensor.
inline float* pointer(const Frame& frame, TensorId id) {
    return id.valid() ? frame.get(id) : nullptr;
}

// y = (x - mean) * scale + shift, channel by channel; `image_stride` is 0, or c when mean and scale differ from image
// to image. A mean or a shift that is not valid stands for 0.
void emit_affine(PlanContext& plan, TensorId x, TensorId y, TensorId mean, TensorId scale, TensorId shift,
                 int64_t image_stride);

// Sums of dy and of dy * (x - mean) for every channel, in `pieces` partial sums for each of `groups`.
TensorId emit_gradient_moments(PlanContext& plan, TensorId x, TensorId dy, TensorId mean, int64_t mean_stride,
                               int64_t groups, int64_t pieces);

// The gradient with respect to the input: dy * scale + (x - mean) * slope + offset; a slope that is not valid stands
// for none.
void emit_affine_backward(PlanContext& plan, TensorId x, TensorId dy, TensorId mean, TensorId scale, TensorId slope,
                          TensorId offset, int64_t image_stride);

}  // namespace striate::normalization
