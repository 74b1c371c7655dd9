#include "striate/layers/relu.hpp"

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
    emit_activation(plan, *activation_function(*this));
}

}  // namespace striate
