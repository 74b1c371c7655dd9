#pragma once

#include <optional>

#include "striate/layer.hpp"

namespace striate STRIATE_API {

struct GroupNormalizationOptions {
    int64_t groups = 32;  // -1: one for each channel
    int64_t axis = -1;
    double epsilon = 1e-3;
    bool center = true, scale = true;
    std::string beta_initializer = "zeros", gamma_initializer = "ones";
    std::optional<std::string> beta_regularizer = {}, gamma_regularizer = {};

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("groups", self.groups);
        visit("axis", self.axis);
        visit("epsilon", self.epsilon);
        visit("center", self.center);
        visit("scale", self.scale);
        visit("beta_initializer", self.beta_initializer);
        visit("gamma_initializer", self.gamma_initializer);
        visit("beta_regularizer", self.beta_regularizer);
        visit("gamma_regularizer", self.gamma_regularizer);
    }
};

// Mean 0 and variance 1 over each sample's groups of channels, then gamma and beta of each channel (Wu & He 2018).
class GroupNormalization : public LayerOf<GroupNormalization, GroupNormalizationOptions> {
  public:
    static constexpr const char* kType = "GroupNormalization";
    // Throws ValueError for groups below 1 (but -1) and an epsilon that is not positive.
    GroupNormalization(Options options, std::string name);

    // Throws ValueError unless the groups divide the channels.
    Shape infer(const std::vector<Shape>& inputs) const override;
    std::vector<Parameter> parameters(const std::vector<Shape>& inputs) const override;
    void emit(PlanContext& plan) const override;
};

}  // namespace striate STRIATE_API
