#include "striate/layers/elu.hpp"

#include <cmath>

#include "layers/activation_steps.hpp"
#include "striate/error.hpp"

namespace striate {

ELU::ELU(Options options, std::string name) : LayerOf(std::move(options), std::move(name)) {
    require(options_.alpha > 0.0 && std::isfinite(options_.alpha), "[", label(),
            "] alpha must be a positive number, got ", options_.alpha);
}

void ELU::emit(PlanContext& plan) const {
    emit_activation(plan, *activation_function(*this));
}

}  // namespace striate
