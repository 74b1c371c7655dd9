// What the pooling layers with a window share.
#pragma once

#include <optional>
#include <string>

#include "kernels/args_pool.hpp"
#include "striate/layer.hpp"
#include "striate/layers/pool_padding.hpp"

namespace striate::pooling {

// Throws ValueError, naming `owner`, for sizes that are not positive, and for a padding that is neither "valid" nor
// "same" nor four margins smaller than the window, so that every window sees something of the map.
void check(const Pair& pool_size, const Pair& strides, const PoolPadding& padding, const std::string& owner);

// The shape of the output; throws ValueError when the window is larger than the map.
Shape infer(const Shape& input, const Pair& pool_size, const Pair& strides, const PoolPadding& padding,
            const std::string& owner);

kernels::PoolWindow window(const Shape& input, const Pair& pool_size, const Pair& strides, const PoolPadding& padding);

}  // namespace striate::pooling
