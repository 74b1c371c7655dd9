// y = (x - mean) * scale + shift with constants, one for all or one for each channel: what Rescaling and Normalization
// are.
#pragma once

#include <string>
#include <vector>

#include "striate/plan.hpp"

namespace striate {

// The constants, each of one number or of one for each channel.
struct ConstantAffine {
    std::vector<double> mean, scale, shift;
};

// Throws ValueError, naming `owner`, unless there is one number or one for each of the input's channels.
void check_channels(const std::vector<double>& numbers, const char* argument, const Shape& input,
                    const std::string& owner);

void emit_constant_affine(PlanContext& plan, const ConstantAffine& constants);

}  // namespace striate
