#include "device/device.hpp"

#include "dispatch/dispatch.hpp"

namespace striate {
namespace {

class Cpu final : public Device {
  public:
    const char* name() const override { return "cpu"; }
    const kernels::Table& table() const override { return dispatch::kernels(); }
    Rules rules() const override { return {convolution::Machine::of(table().vector_width)}; }
};

}  // namespace

const Device& cpu() {
    static const Cpu device;
    return device;
}

}  // namespace striate
