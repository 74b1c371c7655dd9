// What the rest of the library asks of CUDA. Without it, no_cuda.cpp answers.
#pragma once

#include <string>

namespace striate::cuda {

// For show_config(): "none" when not built in, or else the version and the device.
std::string description();

}  // namespace striate::cuda
