#pragma once

#include <optional>

#include "striate/layer.hpp"
#include "striate/layers/padding.hpp"

namespace striate STRIATE_API {

struct SeparableConv2DOptions {
    int64_t filters = 0;
    Pair kernel_size{0};
    Pair strides{1};
    Padding padding = "valid";
    Pair dilation_rate{1};
    int64_t depth_multiplier = 1;
    std::optional<std::string> activation = {};
    bool use_bias = true;
    std::string depthwise_initializer = "glorot_uniform", pointwise_initializer = "glorot_uniform";
    std::string bias_initializer = "zeros";
    std::optional<std::string> depthwise_regularizer = {}, pointwise_regularizer = {}, bias_regularizer = {};

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("filters", self.filters);
        visit("kernel_size", self.kernel_size);
        visit("strides", self.strides);
        visit("padding", self.padding);
        visit("dilation_rate", self.dilation_rate);
        visit("depth_multiplier", self.depth_multiplier);
        visit("activation", self.activation);
        visit("use_bias", self.use_bias);
        visit("depthwise_initializer", self.depthwise_initializer);
        visit("pointwise_initializer", self.pointwise_initializer);
        visit("bias_initializer", self.bias_initializer);
        visit("depthwise_regularizer", self.depthwise_regularizer);
        visit("pointwise_regularizer", self.pointwise_regularizer);
        visit("bias_regularizer", self.bias_regularizer);
    }
};

// A depthwise convolution followed by a 1x1 convolution that mixes its channels (Chollet 2017). Depthwise kernel
// (kernel height, kernel width, c, depth_multiplier), pointwise kernel (1, 1, c * depth_multiplier, filters), bias
// (filters).
class SeparableConv2D : public LayerOf<SeparableConv2D, SeparableConv2DOptions> {
  public:
    static constexpr const char* kType = "SeparableConv2D";
    // Throws ValueError for sizes that are not positive, an unknown padding, activation or initializer.
    SeparableConv2D(Options options, std::string name);

    Shape infer(const std::vector<Shape>& inputs) const override;
    std::vector<Parameter> parameters(const std::vector<Shape>& inputs) const override;
    Halo input_halo(const std::vector<Shape>& inputs) const override;
    LayerPtr activation() const override { return activation_; }
    void emit(PlanContext& plan) const override;
    Window window() const override;
    int64_t multiply_adds(const std::vector<Shape>& inputs) const override;

  private:
    LayerPtr activation_;
};

}  // namespace striate STRIATE_API
