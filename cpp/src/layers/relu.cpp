#include "striate/layers/relu.hpp"

#include <limits>

#include "layers/activation_steps.hpp"
#include "striate/error.hpp"

namespace striate {

ReLU::ReLU(Options options, std::string name) : LayerOf(std::move(options), std::move(name)) {
    require(!options_.max_value || *options_.max_value >= 0.0, "[", label(), "] max_value must not be negative, got ",
            options_.max_value.value_or(0.0));
    require(options_.negative_slope >= 0.0, "[", label(), "] negative_slope must not be negative, got ",
            options_.negative_slope);
    require(options_.threshold >= 0.0, "[", label(), "] threshold must not be negative, got ", options_.threshold);
}

void ReLU::emit(PlanContext& plan) const {
    ActivationFunction f;
    const bool plain = options_.negative_slope == 0.0 && options_.threshold == 0.0;
    if (plain && !options_.max_value) {
        f.kind = kernels::ActivationKind::relu;
    } else if (plain && *options_.max_value == 6.0) {
        f.kind = kernels::ActivationKind::relu6;
    } else {
        f.kind = kernels::ActivationKind::rectifier;
        f.alpha = static_cast<float>(options_.negative_slope);
        f.threshold = static_cast<float>(options_.threshold);
        f.ceiling =
            options_.max_value ? static_cast<float>(*options_.max_value) : std::numeric_limits<float>::infinity();
    }
    emit_activation(plan, f);
}

}  // namespace striate
