#include "striate/layers/conv2d.hpp"

#include "cpu/convolution_steps.hpp"
#include "striate/error.hpp"
#include "striate/initializers.hpp"

namespace striate {
namespace {

convolution::Arguments arguments(const Conv2DOptions& o) {
    return {o.kernel_size, o.strides, o.dilation_rate, o.padding};
}

convolution::Problem problem(const Conv2D& layer, const Shape& input) {
    return convolution::problem_of(arguments(layer.options()), input, layer.options().filters, layer.options().groups,
                                   layer.label());
}

}  // namespace

Conv2D::Conv2D(Options options, std::string name) : LayerOf(std::move(options), std::move(name)) {
    convolution::check_positive(options_.filters, "filters", label());
    convolution::check(arguments(options_), label());
    convolution::check_positive(options_.groups, "groups", label());
    require(options_.filters % options_.groups == 0, "[", label(), "] filters must be a multiple of groups, got ",
            options_.filters, " filters and ", options_.groups, " groups");
    check_initializer(options_.kernel_initializer, label());
    check_initializer(options_.bias_initializer, label());
    penalty_of(options_.kernel_regularizer, label());
    penalty_of(options_.bias_regularizer, label());
    activation_ = convolution::remaining_activation(options_.activation, label());
}

Shape Conv2D::infer(const std::vector<Shape>& inputs) const {
    const Shape& shape = single(inputs, 3, "(N, H, W, C)");
    require(shape[2] % options_.groups == 0, "[", label(),
            "] expects channels in a multiple of groups=", options_.groups, ", got ", with_batch(shape));
    const convolution::Problem p = problem(*this, shape);
    return {p.out_h, p.out_w, p.out_c};
}

std::vector<Parameter> Conv2D::parameters(const std::vector<Shape>& inputs) const {
    const Shape kernel{options_.kernel_size.h, options_.kernel_size.w, inputs[0][2] / options_.groups,
                       options_.filters};
    std::vector<Parameter> list{{"kernel", kernel, options_.kernel_initializer, true, options_.kernel_regularizer}};
    if (options_.use_bias)
        list.push_back({"bias", {options_.filters}, options_.bias_initializer, true, options_.bias_regularizer});
    return list;
}

Halo Conv2D::input_halo(const std::vector<Shape>& inputs) const {
    return convolution::input_halo(problem(*this, inputs[0]));
}
Halo Conv2D::gradient_halo(const std::vector<Shape>& inputs) const {
    return convolution::output_halo(problem(*this, inputs[0]));
}

Window Conv2D::window() const {
    return convolution::window_of(arguments(options_));
}

int64_t Conv2D::multiply_adds(const std::vector<Shape>& inputs) const {
    const convolution::Problem p = problem(*this, inputs[0]);
    return element_count({p.out_h, p.out_w, p.out_c}) * p.kernel.h * p.kernel.w * (p.in_c / p.groups);
}

void Conv2D::emit(PlanContext& plan) const {
    const TensorId x = plan.input(), y = plan.output(), kernel = plan.parameter("kernel");
    const Shape shape = plan.shape(x);
    const convolution::Problem p = problem(*this, {shape[1], shape[2], shape[3]});
    const bool bias = options_.use_bias;
    const kernels::Epilogue epilogue = convolution::epilogue_of(plan, options_.activation);
    convolution::emit_forward(plan, p, x, kernel, {bias ? plan.parameter("bias") : TensorId(), y, epilogue});
    plan.backward([=, relu = convolution::is_relu(epilogue)](BackwardContext& b) {
        const TensorId dy = convolution::gradient_before_relu(b, y, relu);
        if (bias && b.wants_parameter_gradient("bias")) convolution::emit_to_bias(b, dy, b.parameter_gradient("bias"));
        if (b.wants_parameter_gradient("kernel"))
            convolution::emit_to_weights(b, p, x, dy, b.parameter_gradient("kernel"));
        if (b.wants_input_gradient()) convolution::emit_to_input(b, p, dy, kernel, {{}, b.input_gradient()});
    });
}

}  // namespace striate
