// What the pooling layers with a window share.
#pragma once

#include <optional>
#include <string>

#include "kernels/args_pool.hpp"
#include "striate/layer.hpp"
#include "striate/layers/padding.hpp"

namespace striate::pooling {

// Throws ValueError, naming `owner`, for sizes that are not positive, and for a padding that is neither "valid" nor
// "same" nor four margins smaller than the window, so that every window sees something of the map.
void check(const Pair& pool_size, const Pair& strides, const Padding& padding, const std::string& owner);

// The shape of the output; throws ValueError when the window is larger than the map.
Shape infer(const Shape& input, const Pair& pool_size, const Pair& strides, const Padding& padding,
            const std::string& owner);

kernels::PoolWindow window(const Shape& input, const Pair& pool_size, const Pair& strides, const Padding& padding);

// 2 x 2 windows side by side, from the first pixel on.
constexpr kernels::PoolWindow kHalves{2, 2, 2, 2, 0, 0};

// Whether places of such windows, and the number behind them, need more than a byte.
constexpr bool wide(const kernels::PoolWindow& window) {
    return window.rows * window.columns > 255;
}

// y = the maxima of x, rectified if `relu`; their places (see PoolWinners) unless that is not valid. dx from dy.
void emit_max(PlanContext& plan, const kernels::PoolWindow& window, TensorId x, TensorId y, TensorId places, bool relu);
void emit_max_backward(PlanContext& plan, const kernels::PoolWindow& window, TensorId dy, TensorId places, TensorId dx);

}  // namespace striate::pooling
