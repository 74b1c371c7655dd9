#include "striate/layers/activation.hpp"

#include <limits>

#include "layers/activation_steps.hpp"
#include "striate/error.hpp"
#include "striate/layers/elu.hpp"
#include "striate/layers/leaky_relu.hpp"
#include "striate/layers/relu.hpp"
#include "suggest.hpp"

namespace striate {
namespace {

using kernels::ActivationKind;

struct Row {
    const char* name;
    ActivationFunction function;
    bool softmax = false;
};

constexpr Row kRows[] = {
    {"relu", {ActivationKind::relu}},
    {"relu6", {ActivationKind::relu6}},
    {"leaky_relu", {ActivationKind::leaky_relu, 0.2f}},
    {"elu", {ActivationKind::elu, 1.0f}},
    {"sigmoid", {ActivationKind::sigmoid}},
    {"tanh", {ActivationKind::tanh}},
    {"softplus", {ActivationKind::softplus}},
    {"silu", {ActivationKind::silu}},
    {"swish", {ActivationKind::silu}},
    {"gelu", {ActivationKind::gelu}},
    {"hard_sigmoid", {ActivationKind::hard_sigmoid}},
    {"hard_swish", {ActivationKind::hard_swish}},
    {"hard_silu", {ActivationKind::hard_swish}},
    {"exponential", {ActivationKind::exponential}},
    {"log", {ActivationKind::log}},
    {"sqrt", {ActivationKind::sqrt}},
    {"abs", {ActivationKind::abs}},
    {"reciprocal", {ActivationKind::reciprocal}},
    {"reciprocal_no_nan", {ActivationKind::reciprocal_no_nan}},
    {"erf", {ActivationKind::erf}},
    {"softmax", {}, true},
    {"linear", {}},
};

const Row& find(const std::string& activation, const std::string& owner) {
    std::vector<std::string> names;
    for (const Row& row : kRows) {
        if (activation == row.name) return row;
        names.emplace_back(row.name);
    }
    fail("[", owner, "] there is no activation ", quoted(activation), "; ", suggestion(activation, names));
}

ActivationFunction function_of(const ReLUOptions& options) {
    const bool plain = options.negative_slope == 0.0 && options.threshold == 0.0;
    if (plain && !options.max_value) return {ActivationKind::relu};
    if (plain && *options.max_value == 6.0) return {ActivationKind::relu6};
    return {ActivationKind::rectifier, static_cast<float>(options.negative_slope),
            static_cast<float>(options.threshold),
            options.max_value ? static_cast<float>(*options.max_value) : std::numeric_limits<float>::infinity()};
}

// The kernel of leaky_relu tells the sides apart by the output's sign, which a slope of 0 hides.
ActivationFunction function_of(const LeakyReLUOptions& options) {
    const auto slope = static_cast<float>(options.negative_slope);
    if (slope == 0.0f) return {ActivationKind::relu};
    return {ActivationKind::leaky_relu, slope};
}

}  // namespace

Activation::Activation(Options options, std::string name) : LayerOf(std::move(options), std::move(name)) {
    find(options_.activation.value_or("linear"), label());
}

std::string Activation::joint_activation() const {
    const std::string name = options_.activation.value_or("linear");
    return name == "softmax" || name == "sigmoid" ? name : std::string();
}

void Activation::emit(PlanContext& plan) const {
    if (const auto function = activation_function(*this)) {
        emit_activation(plan, *function);
    } else {
        emit_softmax(plan);
    }
}

std::optional<ActivationFunction> activation_function(const Layer& layer) {
    if (const auto* activation = dynamic_cast<const Activation*>(&layer)) {
        const Row& row = find(activation->options().activation.value_or("linear"), activation->label());
        if (row.softmax) return std::nullopt;
        return row.function;
    }
    if (const auto* relu = dynamic_cast<const ReLU*>(&layer)) return function_of(relu->options());
    if (const auto* leaky = dynamic_cast<const LeakyReLU*>(&layer)) return function_of(leaky->options());
    if (const auto* elu = dynamic_cast<const ELU*>(&layer))
        return ActivationFunction{ActivationKind::elu, static_cast<float>(elu->options().alpha)};
    return std::nullopt;
}

LayerPtr activation_layer(const std::optional<std::string>& activation, const std::string& owner) {
    if (!activation) return nullptr;
    if (std::string(find(*activation, owner).name) == "linear") return nullptr;
    return std::make_shared<const Activation>(ActivationOptions{activation}, "");
}

}  // namespace striate
