#include "striate/layers/leaky_relu.hpp"

#include "layers/activation_steps.hpp"
#include "striate/error.hpp"

namespace striate {

LeakyReLU::LeakyReLU(Options options, std::string name) : LayerOf(std::move(options), std::move(name)) {
    require(options_.negative_slope >= 0.0, "[", label(), "] negative_slope must not be negative, got ",
            options_.negative_slope);
}

void LeakyReLU::emit(PlanContext& plan) const {
    emit_activation(plan, *activation_function(*this));
}

}  // namespace striate
