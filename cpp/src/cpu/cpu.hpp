// The CPU as a device: kernels of the instruction set in use, on memory of the host.
#pragma once

#include "device/device.hpp"
#include "kernels/table.hpp"

namespace striate {

class Cpu final : public Device {
  public:
    const char* name() const override { return "cpu"; }
    bool has(kernels::Row row) const override { return kernels::has(table(), row); }
    Rules rules() const override;
    const kernels::Table& table() const;
};

const Cpu& cpu();

}  // namespace striate
