#include "striate/layers/batch_normalization.hpp"

#include "layers/normalization_steps.hpp"
#include "striate/error.hpp"

namespace striate {

BatchNormalization::BatchNormalization(Options options, std::string name)
    : LayerOf(std::move(options), std::move(name)) {
    require(options_.momentum >= 0.0 && options_.momentum < 1.0, "[", label(),
            "] momentum must be at least 0 and less than 1, got ", options_.momentum);
    normalization::check_epsilon(options_.epsilon, label());
    penalty_of(options_.beta_regularizer, label());
    penalty_of(options_.gamma_regularizer, label());
}

Shape BatchNormalization::infer(const std::vector<Shape>& inputs) const {
    const Shape& shape = single(inputs);
    normalization::check_last_axis(options_.axis, shape, label());
    return shape;
}

std::vector<Parameter> BatchNormalization::parameters(const std::vector<Shape>& inputs) const {
    const Shape channels{single(inputs).back()};
    std::vector<Parameter> list;
    if (options_.scale)
        list.push_back({"gamma", channels, options_.gamma_initializer, true, options_.gamma_regularizer});
    if (options_.center) list.push_back({"beta", channels, options_.beta_initializer, true, options_.beta_regularizer});
    list.push_back({"moving_mean", channels, options_.moving_mean_initializer, false});
    list.push_back({"moving_variance", channels, options_.moving_variance_initializer, false});
    return list;
}

void BatchNormalization::emit(PlanContext& plan) const {
    normalization::emit_batch_normalization(plan, options_, kernels::ActivationKind::linear);
}

}  // namespace striate
