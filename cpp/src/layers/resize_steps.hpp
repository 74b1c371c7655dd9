// The steps of layers that change the size of a map.
#pragma once

#include <string>

#include "striate/layer.hpp"

namespace striate::resizing {

// Throws ValueError, naming `owner`, for anything but "nearest" and "bilinear".
void check_interpolation(const std::string& interpolation, const std::string& owner);

// The output, of any size, from the input, with half-pixel centres.
void emit(PlanContext& plan, const std::string& interpolation);

}  // namespace striate::resizing
