#pragma once

#include <optional>

#include "striate/layer.hpp"

namespace striate STRIATE_API {

struct PReLUOptions {
    std::string alpha_initializer = "zeros";
    std::optional<std::string> alpha_regularizer = {};
    std::optional<std::vector<int64_t>> shared_axes = {};  // counted from 1; 0 is the batch

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("alpha_initializer", self.alpha_initializer);
        visit("alpha_regularizer", self.alpha_regularizer);
        visit("shared_axes", self.shared_axes);
    }
};

// x above 0, alpha * x below, with a learned alpha for each place of the input, shared along the axes asked for (He et
// al. 2015).
class PReLU : public LayerOf<PReLU, PReLUOptions> {
  public:
    static constexpr const char* kType = "PReLU";
    PReLU(Options options, std::string name);

    // Throws ValueError for an axis that the input has not, and for inputs of more than three dimensions beside the
    // batch.
    Shape infer(const std::vector<Shape>& inputs) const override;
    std::vector<Parameter> parameters(const std::vector<Shape>& inputs) const override;
    void emit(PlanContext& plan) const override;

  private:
    Shape alpha_shape(const Shape& input) const;
};

}  // namespace striate STRIATE_API
