// What a plan runs on: the table of its kernels, and the rules by which work is cut for it.
#pragma once

#include "kernels/table.hpp"
#include "layers/convolution.hpp"

namespace striate {

// Rules look at shapes and at the kind of device, never at how many threads or blocks there are: the same sums on every
// machine that has the same vectors.
struct Rules {
    convolution::Machine machine;  // registers of a vector unit: panels of weights and tiles
    bool winograd = true;          // minimal filtering where it pays
    bool pooled_at_once = true;    // a convolution's outputs wait for their maxima in the scratch of a thread
};

class Device {
  public:
    Device() = default;
    virtual ~Device() = default;
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    virtual const char* name() const = 0;
    // Its kernels. A null row is done by the CPU.
    virtual const kernels::Table& table() const = 0;
    virtual Rules rules() const = 0;
};

// The CPU: kernels of the instruction set in use, memory of the host.
const Device& cpu();

}  // namespace striate
