#include "striate/layers/leaky_relu.hpp"

#include "layers/activation_steps.hpp"
#include "striate/error.hpp"

namespace striate {

LeakyReLU::LeakyReLU(Options options, std::string name) : LayerOf(std::move(options), std::move(name)) {
    require(options_.negative_slope >= 0.0, "[", label(), "] negative_slope must not be negative, got ",
            options_.negative_slope);
}

void LeakyReLU::emit(PlanContext& plan) const {
    // The kernel of leaky_relu tells the sides apart by the output's sign, which a slope of 0 hides.
    const auto slope = static_cast<float>(options_.negative_slope);
    if (slope == 0.0f) {
        emit_activation(plan, {kernels::ActivationKind::relu});
    } else {
        emit_activation(plan, {kernels::ActivationKind::leaky_relu, slope});
    }
}

}  // namespace striate
