// What regularizers add to the loss, for plans that have no optimizer.
#pragma once

#include <vector>

#include "striate/optimizer.hpp"

namespace striate {

// Adds steps that compute the penalties of the trainable segments. The result's sum is their penalty; it is invalid
// where there is none. `values`: the arenas that the segments' values are in.
TensorId emit_penalties(PlanContext& plan, const std::vector<Segment>& segments, const std::vector<TensorId>& values);

}  // namespace striate
