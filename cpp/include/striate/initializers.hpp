// How weights are drawn before training.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "striate/tensor.hpp"

namespace striate STRIATE_API {

// Fills `out` (of the given shape) by an initializer's name, as Keras has them: "zeros", "ones", "constant(0.1)",
// "random_uniform(-0.05,0.05)", "random_normal(0,0.05)", "truncated_normal(0,0.05)", "glorot_uniform", "glorot_normal",
// "he_uniform", "he_normal", "lecun_uniform", "lecun_normal", "orthogonal(1)", "identity(1)". Arguments in parentheses
// are optional. Fan-in and fan-out are those of a kernel (..., in, out). The numbers follow from (seed, stream) alone.
// Glorot & Bengio 2010; He et al. 2015; LeCun et al. 1998; Saxe et al. 2014.
// Throws ValueError, naming `owner`, for a name that there is none of.
void initialize(const std::string& initializer, const Shape& shape, uint64_t seed, uint64_t stream, float* out,
                const std::string& owner);

// Throws ValueError, naming `owner`, unless initialize() would accept the name and this number of dimensions.
void check_initializer(const std::string& initializer, const std::string& owner);

std::vector<std::string> initializer_names();

}  // namespace striate STRIATE_API
