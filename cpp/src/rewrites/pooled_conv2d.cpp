#include "rewrites/pooled_conv2d.hpp"

#include "cpu/convolution_steps.hpp"
#include "device/device.hpp"
#include "layers/pooling.hpp"

namespace striate {

Shape PooledConv2D::infer(const std::vector<Shape>& inputs) const {
    const Shape map = Conv2D::infer(inputs);
    return {map[0] / 2, map[1] / 2, map[2]};
}

void PooledConv2D::emit(PlanContext& plan) const {
    const TensorId x = plan.input(), y = plan.output(), kernel = plan.parameter("kernel");
    const Shape shape = plan.shape(x);
    const Options& o = options();
    const convolution::Problem p =
        convolution::problem_of({o.kernel_size, o.strides, o.dilation_rate, o.padding}, {shape[1], shape[2], shape[3]},
                                o.filters, o.groups, label());
    const bool bias = o.use_bias;
    const kernels::Epilogue epilogue = convolution::epilogue_of(plan, o.activation);
    const bool kept =
        plan.backward_follows() && (plan.wants_input_gradient() || plan.wants_parameter_gradient("kernel") ||
                                    (bias && plan.wants_parameter_gradient("bias")));
    const TensorId places = kept ? plan.create(plan.shape(y), {}, DType::uint8) : TensorId();
    convolution::emit_pooled(plan, p, x, kernel, {bias ? plan.parameter("bias") : TensorId(), y, epilogue, places});
    plan.backward([=, relu = convolution::is_relu(epilogue)](BackwardContext& b) {
        const TensorId d_maxima = b.output_gradient();
        const bool to_input = b.wants_input_gradient(), to_bias = bias && b.wants_parameter_gradient("bias");
        const bool to_kernel = b.wants_parameter_gradient("kernel"),
                   few = to_kernel && b.device().rules().pooled_at_once && convolution::maxima_fit(p);
        const TensorId d_bias = to_bias ? b.parameter_gradient("bias") : TensorId();
        if (few) {
            convolution::emit_maxima_to_weights(b, p, x, d_maxima, places, b.parameter_gradient("kernel"), d_bias);
        } else if (to_bias) {  // its sum over all the map is that over the maxima, which alone have gradients
            convolution::emit_to_bias(b, d_maxima, d_bias, relu ? places : TensorId());
        }
        if (!to_input && (few || !to_kernel)) return;
        const TensorId dy =
            b.create({b.shape(y)[0], p.out_h, p.out_w, p.out_c}, to_input ? convolution::output_halo(p) : Halo());
        pooling::emit_max_backward(b, pooling::kHalves, d_maxima, places, dy);
        if (to_kernel && !few) convolution::emit_to_weights(b, p, x, dy, b.parameter_gradient("kernel"));
        if (to_input) convolution::emit_to_input(b, p, dy, kernel, {{}, b.input_gradient()});
    });
}

}  // namespace striate
