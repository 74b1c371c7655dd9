#include "striate/layers/separable_conv2d.hpp"

#include "cpu/convolution_steps.hpp"
#include "striate/error.hpp"
#include "striate/initializers.hpp"

namespace striate {
namespace {

convolution::Arguments arguments(const SeparableConv2DOptions& o) {
    return {o.kernel_size, o.strides, o.dilation_rate, o.padding};
}

convolution::Problem depthwise(const SeparableConv2D& layer, const Shape& input) {
    const SeparableConv2DOptions& o = layer.options();
    return convolution::problem_of(arguments(o), input, input[2] * o.depth_multiplier, 1, layer.label());
}

convolution::Problem pointwise(const SeparableConv2D& layer, const convolution::Problem& first) {
    const Shape between{first.out_h, first.out_w, first.out_c};
    return convolution::problem_of({1, 1, 1, "valid"}, between, layer.options().filters, 1, layer.label());
}

}  // namespace

SeparableConv2D::SeparableConv2D(Options options, std::string name) : LayerOf(std::move(options), std::move(name)) {
    convolution::check_positive(options_.filters, "filters", label());
    convolution::check(arguments(options_), label());
    convolution::check_positive(options_.depth_multiplier, "depth_multiplier", label());
    check_initializer(options_.depthwise_initializer, label());
    check_initializer(options_.pointwise_initializer, label());
    check_initializer(options_.bias_initializer, label());
    penalty_of(options_.depthwise_regularizer, label());
    penalty_of(options_.pointwise_regularizer, label());
    penalty_of(options_.bias_regularizer, label());
    activation_ = convolution::remaining_activation(options_.activation, label());
}

Shape SeparableConv2D::infer(const std::vector<Shape>& inputs) const {
    const Shape& shape = single(inputs, 3, "(N, H, W, C)");
    element_count({shape[2], options_.depth_multiplier});
    const convolution::Problem p = depthwise(*this, shape);
    return {p.out_h, p.out_w, options_.filters};
}

std::vector<Parameter> SeparableConv2D::parameters(const std::vector<Shape>& inputs) const {
    const int64_t channels = inputs[0][2], between = channels * options_.depth_multiplier;
    const Pair& size = options_.kernel_size;
    std::vector<Parameter> list{{"depthwise_kernel",
                                 {size.h, size.w, channels, options_.depth_multiplier},
                                 options_.depthwise_initializer,
                                 true,
                                 options_.depthwise_regularizer},
                                {"pointwise_kernel",
                                 {1, 1, between, options_.filters},
                                 options_.pointwise_initializer,
                                 true,
                                 options_.pointwise_regularizer}};
    if (options_.use_bias)
        list.push_back({"bias", {options_.filters}, options_.bias_initializer, true, options_.bias_regularizer});
    return list;
}

Halo SeparableConv2D::input_halo(const std::vector<Shape>& inputs) const {
    return convolution::input_halo(depthwise(*this, inputs[0]));
}

Window SeparableConv2D::window() const {
    return convolution::window_of(arguments(options_));
}

int64_t SeparableConv2D::multiply_adds(const std::vector<Shape>& inputs) const {
    const Shape out = infer(inputs);
    const int64_t between = inputs[0][2] * options_.depth_multiplier;
    return element_count({out[0], out[1], between}) *
           (options_.kernel_size.h * options_.kernel_size.w + options_.filters);
}

void SeparableConv2D::emit(PlanContext& plan) const {
    const TensorId x = plan.input(), y = plan.output();
    const TensorId deep = plan.parameter("depthwise_kernel"), wide = plan.parameter("pointwise_kernel");
    const Shape shape = plan.shape(x);
    const convolution::Problem first = depthwise(*this, {shape[1], shape[2], shape[3]}),
                               second = pointwise(*this, first);
    const bool bias = options_.use_bias;
    const kernels::Epilogue epilogue = convolution::epilogue_of(plan, options_.activation);
    const TensorId between = plan.create({plan.batch(), first.out_h, first.out_w, first.out_c});
    convolution::emit_depthwise(plan, first, x, deep, {{}, between});
    convolution::emit_forward(plan, second, between, wide, {bias ? plan.parameter("bias") : TensorId(), y, epilogue});
    plan.backward([=, relu = convolution::is_relu(epilogue)](BackwardContext& b) {
        const TensorId dy = convolution::gradient_before_relu(b, y, relu);
        if (bias && b.wants_parameter_gradient("bias")) convolution::emit_to_bias(b, dy, b.parameter_gradient("bias"));
        if (b.wants_parameter_gradient("pointwise_kernel"))
            convolution::emit_to_weights(b, second, between, dy, b.parameter_gradient("pointwise_kernel"));
        const bool to_deep = b.wants_parameter_gradient("depthwise_kernel"), to_x = b.wants_input_gradient();
        if (!to_deep && !to_x) return;
        const TensorId d_between = b.create(b.shape(between), convolution::output_halo(first));
        convolution::emit_to_input(b, second, dy, wide, {{}, d_between});
        if (to_deep)
            convolution::emit_depthwise_to_weights(b, first, x, d_between, b.parameter_gradient("depthwise_kernel"));
        if (to_x) convolution::emit_depthwise_to_input(b, first, d_between, deep, b.input_gradient());
    });
}

}  // namespace striate
