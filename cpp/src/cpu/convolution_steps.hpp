// The steps and checks that the convolution layers and Dense share.
#pragma once

#include <optional>
#include <string>

#include "cpu/convolution.hpp"
#include "striate/layer.hpp"
#include "striate/layers/padding.hpp"

namespace striate::convolution {

// The arguments that the convolution layers have in common.
struct Arguments {
    Pair kernel_size, strides, dilation_rate;
    Padding padding;
    bool same() const { return padding == "same"; }
};

// Throws ValueError, naming `owner`, for sizes that are not positive (or absurd) and for an unknown padding.
void check(const Arguments& a, const std::string& owner);
void check_positive(int64_t value, const char* what, const std::string& owner);

// The convolution of a map (h, w, c). Throws ValueError when the window is larger than the map.
Problem problem_of(const Arguments& a, const Shape& input, int64_t out_c, int64_t groups, const std::string& owner);

Window window_of(const Arguments& a);

// The activation that is left for the plan: relu is done where the output is written.
LayerPtr remaining_activation(const std::optional<std::string>& activation, const std::string& owner);

// What the layer that is planned applies to its sums: relu if that is its `activation`, or the activation of the
// plan's.
kernels::Epilogue epilogue_of(const PlanContext& plan, const std::optional<std::string>& activation);
inline bool is_relu(const kernels::Epilogue& epilogue) {
    return epilogue.kind == kernels::ActivationKind::relu;
}

// Where sums over windows end: plus a bias unless that is not valid, and through an activation. `places`: of maxima,
// which of its window won, as PoolWinners tells; not valid when nobody asks. Maxima are rectified at most.
struct Ending {
    TensorId bias, y;
    kernels::Epilogue epilogue = {};
    TensorId places = {};
};

// y = the epilogue of the convolution of x, plus a bias unless that is not valid.
void emit_forward(PlanContext& plan, const Problem& p, TensorId x, TensorId kernel, const Ending& end);
void emit_depthwise(PlanContext& plan, const Problem& p, TensorId x, TensorId kernel, const Ending& end);
// The maxima of 2 x 2 windows of it side by side, without what fills no window; the map itself is not stored.
void emit_pooled(PlanContext& plan, const Problem& p, TensorId x, TensorId kernel, const Ending& end);

// dx from dy; for a transposed convolution this is the way forward, with its bias and activation.
void emit_to_input(PlanContext& plan, const Problem& p, TensorId dy, TensorId kernel, const Ending& end);
void emit_depthwise_to_input(PlanContext& plan, const Problem& p, TensorId dy, TensorId kernel, TensorId dx);

void emit_to_weights(PlanContext& plan, const Problem& p, TensorId x, TensorId dy, TensorId d_kernel);
// To kernel and bias, if that is valid, from the gradient of 2 x 2 maxima; for problems that maxima_fit() only.
void emit_maxima_to_weights(PlanContext& plan, const Problem& p, TensorId x, TensorId d_maxima, TensorId places,
                            TensorId d_kernel, TensorId d_bias);
void emit_depthwise_to_weights(PlanContext& plan, const Problem& p, TensorId x, TensorId dy, TensorId d_kernel);

// The sum over pixels of every channel of dy, but for the maxima, if `places` is valid, that ReLU made 0.
void emit_to_bias(PlanContext& plan, TensorId dy, TensorId d_bias, TensorId places = {});

// Within a backward function: the gradient of the output, where it is not rectified if `relu`.
TensorId gradient_before_relu(BackwardContext& plan, TensorId y, bool relu);

}  // namespace striate::convolution
