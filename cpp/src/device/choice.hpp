// Devices by their names.
#pragma once

#include <string>

#include "device/device.hpp"

namespace striate {

// "cpu", "cuda" or "cuda:1". Throws ValueError for another name, and what cuda::device() throws.
const Device& device_named(const std::string& name);

// What STRIATE_DEVICE in the environment names, or the CPU.
const Device& default_device();

}  // namespace striate
