// Batch normalisation together with what follows it, as one node of the plan.
#pragma once

#include <memory>

#include "kernels/args.hpp"
#include "striate/layers/batch_normalization.hpp"

namespace striate {

// `norm`, then the maximum of 2 x 2 windows side by side if `pool` (rows and columns that fill none are left out), then
// the activation, which fits_normalization(); with `pool` it is linear or relu. It has the parameters of `norm`.
// Nothing between x and y is stored.
LayerPtr fused_normalization(std::shared_ptr<const BatchNormalization> norm, bool pool,
                             kernels::ActivationKind activation);

}  // namespace striate
