#include "cuda/device.hpp"

namespace striate::cuda {

std::string description() {
    return "none";
}

}  // namespace striate::cuda
