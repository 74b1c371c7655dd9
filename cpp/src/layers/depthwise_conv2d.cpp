#include "striate/layers/depthwise_conv2d.hpp"

#include "cpu/convolution_steps.hpp"
#include "striate/error.hpp"
#include "striate/initializers.hpp"

namespace striate {
namespace {

convolution::Arguments arguments(const DepthwiseConv2DOptions& o) {
    return {o.kernel_size, o.strides, o.dilation_rate, o.padding};
}

convolution::Problem problem(const DepthwiseConv2D& layer, const Shape& input) {
    const DepthwiseConv2DOptions& o = layer.options();
    return convolution::problem_of(arguments(o), input, input[2] * o.depth_multiplier, 1, layer.label());
}

}  // namespace

DepthwiseConv2D::DepthwiseConv2D(Options options, std::string name) : LayerOf(std::move(options), std::move(name)) {
    convolution::check(arguments(options_), label());
    convolution::check_positive(options_.depth_multiplier, "depth_multiplier", label());
    check_initializer(options_.depthwise_initializer, label());
    check_initializer(options_.bias_initializer, label());
    penalty_of(options_.depthwise_regularizer, label());
    penalty_of(options_.bias_regularizer, label());
    activation_ = convolution::remaining_activation(options_.activation, label());
}

Shape DepthwiseConv2D::infer(const std::vector<Shape>& inputs) const {
    const Shape& shape = single(inputs, 3, "(N, H, W, C)");
    const int64_t channels = element_count({shape[2], options_.depth_multiplier});
    const convolution::Problem p = problem(*this, shape);
    return {p.out_h, p.out_w, channels};
}

std::vector<Parameter> DepthwiseConv2D::parameters(const std::vector<Shape>& inputs) const {
    const int64_t channels = inputs[0][2];
    const Shape kernel{options_.kernel_size.h, options_.kernel_size.w, channels, options_.depth_multiplier};
    std::vector<Parameter> list{
        {"kernel", kernel, options_.depthwise_initializer, true, options_.depthwise_regularizer}};
    if (options_.use_bias)
        list.push_back({"bias",
                        {channels * options_.depth_multiplier},
                        options_.bias_initializer,
                        true,
                        options_.bias_regularizer});
    return list;
}

Halo DepthwiseConv2D::input_halo(const std::vector<Shape>& inputs) const {
    return convolution::input_halo(problem(*this, inputs[0]));
}
Halo DepthwiseConv2D::gradient_halo(const std::vector<Shape>& inputs) const {
    return convolution::output_halo(problem(*this, inputs[0]));
}

Window DepthwiseConv2D::window() const {
    return convolution::window_of(arguments(options_));
}

int64_t DepthwiseConv2D::multiply_adds(const std::vector<Shape>& inputs) const {
    return element_count(infer(inputs)) * options_.kernel_size.h * options_.kernel_size.w;
}

void DepthwiseConv2D::emit(PlanContext& plan) const {
    const TensorId x = plan.input(), y = plan.output(), kernel = plan.parameter("kernel");
    const Shape shape = plan.shape(x);
    const convolution::Problem p = problem(*this, {shape[1], shape[2], shape[3]});
    const bool bias = options_.use_bias;
    const kernels::Epilogue epilogue = convolution::epilogue_of(plan, options_.activation);
    convolution::emit_depthwise(plan, p, x, kernel, {bias ? plan.parameter("bias") : TensorId(), y, epilogue});
    plan.backward([=, relu = convolution::is_relu(epilogue)](BackwardContext& b) {
        const TensorId dy = convolution::gradient_before_relu(b, y, relu);
        if (bias && b.wants_parameter_gradient("bias")) convolution::emit_to_bias(b, dy, b.parameter_gradient("bias"));
        if (b.wants_parameter_gradient("kernel"))
            convolution::emit_depthwise_to_weights(b, p, x, dy, b.parameter_gradient("kernel"));
        if (b.wants_input_gradient()) convolution::emit_depthwise_to_input(b, p, dy, kernel, b.input_gradient());
    });
}

}  // namespace striate
