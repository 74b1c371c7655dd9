#pragma once

#include <optional>

#include "striate/layer.hpp"

namespace striate STRIATE_API {

struct Conv2DTransposeOptions {
    int64_t filters = 0;
    Pair kernel_size{0};
    Pair strides{1};
    std::string padding = "valid";
    std::optional<Pair> output_padding = {};
    Pair dilation_rate{1};
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
        visit("output_padding", self.output_padding);
        visit("dilation_rate", self.dilation_rate);
        visit("activation", self.activation);
        visit("use_bias", self.use_bias);
        visit("kernel_initializer", self.kernel_initializer);
        visit("bias_initializer", self.bias_initializer);
        visit("kernel_regularizer", self.kernel_regularizer);
        visit("bias_regularizer", self.bias_regularizer);
    }
};

// The transpose of a convolution, which enlarges maps (Dumoulin & Visin 2016). Kernel (kernel height, kernel width,
// filters, c), bias (filters). "same" gives size * stride rows, "valid" size * stride + max(extent - stride, 0), where
// extent is (kernel - 1) * dilation + 1; with output_padding it is (size - 1) * stride + extent - 2 * pad +
// output_padding, where pad is extent / 2, rounded down, for "same" and 0 for "valid".
class Conv2DTranspose : public LayerOf<Conv2DTranspose, Conv2DTransposeOptions> {
  public:
    static constexpr const char* kType = "Conv2DTranspose";
    // Throws ValueError for sizes that are not positive, an output_padding that is not less than the stride, an unknown
    // padding, activation or initializer.
    Conv2DTranspose(Options options, std::string name);

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
