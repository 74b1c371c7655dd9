#pragma once

#include <optional>

#include "striate/layer.hpp"
#include "striate/layers/padding.hpp"

namespace striate STRIATE_API {

struct Conv2DOptions {
    int64_t filters = 0;
    Pair kernel_size{0};
    Pair strides{1};
    Padding padding = "valid";
    Pair dilation_rate{1};
    int64_t groups = 1;
    std::optional<std::string> activation = {};
    bool use_bias = true;
    std::string kernel_initializer = "glorot_uniform", bias_initializer = "zeros";
    std::optional<std::string> kernel_regularizer = {}, bias_regularizer = {};

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("filters", self.filters);
        visit("kernel_size", self.kernel_size);
        visit("strides", self.strides);
        visit("padding", self.padding);
        visit("dilation_rate", self.dilation_rate);
        visit("groups", self.groups);
        visit("activation", self.activation);
        visit("use_bias", self.use_bias);
        visit("kernel_initializer", self.kernel_initializer);
        visit("bias_initializer", self.bias_initializer);
        visit("kernel_regularizer", self.kernel_regularizer);
        visit("bias_regularizer", self.bias_regularizer);
    }
};

// Each output channel is a sum over windows of all input channels of its group (LeCun et al. 1998). Maps (h, w, c),
// kernel (kernel height, kernel width, c / groups, filters), bias (filters). "same" pads as TensorFlow does: the output
// has ceil(size / stride) rows, and the odd row of zeros is behind the map. Margins are the rows and columns of zeros
// (top, bottom, left, right), as PyTorch's padding.
class Conv2D : public LayerOf<Conv2D, Conv2DOptions> {
  public:
    static constexpr const char* kType = "Conv2D";
    // Throws ValueError for sizes that are not positive, filters that groups do not divide, an unknown padding,
    // activation or initializer.
    Conv2D(Options options, std::string name);

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
