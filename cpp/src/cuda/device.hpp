// GPUs, by the CUDA plugin.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "device/device.hpp"

namespace striate::cuda {

// For show_config(): "none" when there is no plugin, or else its version and the first device, or why that cannot be
// used.
std::string description();

// Where the plugin is, for programs that do not set STRIATE_CUDA_PLUGIN in the environment. Without either, the
// system's search for libstriate_cuda.so decides.
void set_plugin(const std::string& path);

// The GPU of this number. Throws std::runtime_error when there is no plugin, or it is of another version, or there is
// no driver or one that is too old, or the chip is too old; ValueError when there are fewer devices.
const Accelerator& device(int index);

// Each row of kernels.inc, in order, and whether the plugin has a kernel for it. Throws as device() does when there is
// no plugin.
std::vector<std::pair<std::string, bool>> kernels_on_device();

}  // namespace striate::cuda
