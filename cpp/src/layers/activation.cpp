#include "striate/layers/activation.hpp"

#include "layers/activation_steps.hpp"
#include "striate/error.hpp"
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

}  // namespace

Activation::Activation(Options options, std::string name) : LayerOf(std::move(options), std::move(name)) {
    find(options_.activation.value_or("linear"), label());
}

std::string Activation::joint_activation() const {
    const std::string name = options_.activation.value_or("linear");
    return name == "softmax" || name == "sigmoid" ? name : std::string();
}

void Activation::emit(PlanContext& plan) const {
    const Row& row = find(options_.activation.value_or("linear"), label());
    if (row.softmax) {
        emit_softmax(plan);
    } else {
        emit_activation(plan, row.function);
    }
}

LayerPtr activation_layer(const std::optional<std::string>& activation, const std::string& owner) {
    if (!activation) return nullptr;
    if (std::string(find(*activation, owner).name) == "linear") return nullptr;
    return std::make_shared<const Activation>(ActivationOptions{activation}, "");
}

}  // namespace striate
