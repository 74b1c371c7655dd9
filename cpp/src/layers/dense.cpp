#include "striate/layers/dense.hpp"

#include "cpu/convolution_steps.hpp"
#include "striate/error.hpp"
#include "striate/initializers.hpp"

namespace striate {

Dense::Dense(Options options, std::string name) : LayerOf(std::move(options), std::move(name)) {
    convolution::check_positive(options_.units, "units", label());
    check_initializer(options_.kernel_initializer, label());
    check_initializer(options_.bias_initializer, label());
    penalty_of(options_.kernel_regularizer, label());
    penalty_of(options_.bias_regularizer, label());
    activation_ = convolution::remaining_activation(options_.activation, label());
}

Shape Dense::infer(const std::vector<Shape>& inputs) const {
    Shape shape = single(inputs);
    require(!shape.empty(), "[", label(), "] expects input of at least 2 dimensions (N, features), got ",
            with_batch(shape));
    shape.back() = options_.units;
    return shape;
}

std::vector<Parameter> Dense::parameters(const std::vector<Shape>& inputs) const {
    std::vector<Parameter> list{
        {"kernel", {inputs[0].back(), options_.units}, options_.kernel_initializer, true, options_.kernel_regularizer}};
    if (options_.use_bias)
        list.push_back({"bias", {options_.units}, options_.bias_initializer, true, options_.bias_regularizer});
    return list;
}

int64_t Dense::multiply_adds(const std::vector<Shape>& inputs) const {
    return element_count(single(inputs)) * options_.units;
}

void Dense::emit(PlanContext& plan) const {
    const TensorId x = plan.input(), y = plan.output(), kernel = plan.parameter("kernel");
    // A 1x1 convolution of whatever map the tensor is seen as.
    const View view = plan.view(x);
    convolution::Problem p;
    p.in_h = p.out_h = view.h, p.in_w = p.out_w = view.w;
    p.in_c = view.c, p.out_c = options_.units;
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
