#pragma once

#include <optional>

#include "striate/layer.hpp"
#include "striate/layers/padding.hpp"

namespace striate STRIATE_API {

struct DepthwiseConv2DOptions {
    Pair kernel_size{0};
    Pair strides{1};
    Padding padding = "valid";
    int64_t depth_multiplier = 1;
    Pair dilation_rate{1};
    std::optional<std::string> activation = {};
    bool use_bias = true;
    std::string depthwise_initializer = "glorot_uniform", bias_initializer = "zeros";
    std::optional<std::string> depthwise_regularizer = {}, bias_regularizer = {};

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("kernel_size", self.kernel_size);
        visit("strides", self.strides);
        visit("padding", self.padding);
        visit("depth_multiplier", self.depth_multiplier);
        visit("dilation_rate", self.dilation_rate);
        visit("activation", self.activation);
        visit("use_bias", self.use_bias);
        visit("depthwise_initializer", self.depthwise_initializer);
        visit("bias_initializer", self.bias_initializer);
        visit("depthwise_regularizer", self.depthwise_regularizer);
        visit("bias_regularizer", self.bias_regularizer);
    }
};

// Convolution of each channel with kernels of its own (Chollet 2017): output channel i * depth_multiplier + j comes
// from input channel i. Kernel (kernel height, kernel width, c, depth_multiplier), bias (c * depth_multiplier).
class DepthwiseConv2D : public LayerOf<DepthwiseConv2D, DepthwiseConv2DOptions> {
  public:
    static constexpr const char* kType = "DepthwiseConv2D";
    // Throws ValueError for sizes that are not positive, an unknown padding, activation or initializer.
    DepthwiseConv2D(Options options, std::string name);

    Shape infer(const std::vector<Shape>& inputs) const override;
    std::vector<Parameter> parameters(const std::vector<Shape>& inputs) const override;
    Halo input_halo(const std::vector<Shape>& inputs) const override;
    Halo gradient_halo(const std::vector<Shape>& inputs) const override;
    LayerPtr activation() const override { return activation_; }
    void emit(PlanContext& plan) const override;
    Window window() const override;
    int64_t multiply_adds(const std::vector<Shape>& inputs) const override;

  private:
    LayerPtr activation_;
};

}  // namespace striate STRIATE_API
