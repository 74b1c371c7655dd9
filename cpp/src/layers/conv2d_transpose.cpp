#include "striate/layers/conv2d_transpose.hpp"

#include <algorithm>

#include "cpu/convolution_steps.hpp"
#include "planning/kernel_call.hpp"
#include "striate/error.hpp"
#include "striate/initializers.hpp"

namespace striate {
namespace {

convolution::Arguments arguments(const Conv2DTransposeOptions& o) {
    return {o.kernel_size, o.strides, o.dilation_rate, o.padding};
}

// The convolution that this layer is the transpose of: from our output to our input.
convolution::Problem problem(const Conv2DTranspose& layer, const Shape& input) {
    const Conv2DTransposeOptions& o = layer.options();
    convolution::Problem p;
    p.out_h = input[0], p.out_w = input[1], p.out_c = input[2];
    p.in_c = o.filters;
    p.kernel = o.kernel_size, p.stride = o.strides, p.dilation = o.dilation_rate;
    const bool same = o.padding == "same";
    const auto axis = [&](int64_t size, int64_t kernel, int64_t stride, int64_t dilation, const int64_t* extra,
                          int64_t& out, int64_t& pad) {
        element_count({size, stride, 4});  // throws when sizes are absurd, with room for the kernel's extent
        const int64_t extent = (kernel - 1) * dilation + 1, reached = (size - 1) * stride + extent;
        if (extra) {
            out = reached + *extra - (same ? 2 * (extent / 2) : 0);
        } else {
            out = size * stride + (same ? 0 : std::max<int64_t>(extent - stride, 0));
        }
        pad = same ? std::max<int64_t>(reached - out, 0) / 2 : 0;
    };
    axis(p.out_h, p.kernel.h, p.stride.h, p.dilation.h, o.output_padding ? &o.output_padding->h : nullptr, p.in_h,
         p.pad_top);
    axis(p.out_w, p.kernel.w, p.stride.w, p.dilation.w, o.output_padding ? &o.output_padding->w : nullptr, p.in_w,
         p.pad_left);
    require(p.in_h > 0 && p.in_w > 0, "[", layer.label(), "] would have an output of (", p.in_h, ", ", p.in_w,
            ") for the input ", with_batch(input), "; use padding='valid' or a larger output_padding");
    convolution::check_halos(p, layer.label());
    return p;
}

}  // namespace

Conv2DTranspose::Conv2DTranspose(Options options, std::string name) : LayerOf(std::move(options), std::move(name)) {
    convolution::check_positive(options_.filters, "filters", label());
    require(options_.padding == "valid" || options_.padding == "same", "[", label(),
            "] padding must be 'valid' or 'same', got '", options_.padding, "'");
    convolution::check(arguments(options_), label());
    if (options_.output_padding) {
        const Pair& extra = *options_.output_padding;
        require(extra.h >= 0 && extra.w >= 0 && extra.h < options_.strides.h && extra.w < options_.strides.w, "[",
                label(), "] output_padding must be at least 0 and less than strides (", options_.strides.h, ", ",
                options_.strides.w, "), got (", extra.h, ", ", extra.w, ")");
    }
    check_initializer(options_.kernel_initializer, label());
    check_initializer(options_.bias_initializer, label());
    penalty_of(options_.kernel_regularizer, label());
    penalty_of(options_.bias_regularizer, label());
    activation_ = convolution::remaining_activation(options_.activation, label());
}

Shape Conv2DTranspose::infer(const std::vector<Shape>& inputs) const {
    const convolution::Problem p = problem(*this, single(inputs, 3, "(N, H, W, C)"));
    return {p.in_h, p.in_w, p.in_c};
}

std::vector<Parameter> Conv2DTranspose::parameters(const std::vector<Shape>& inputs) const {
    const Shape kernel{options_.kernel_size.h, options_.kernel_size.w, options_.filters, inputs[0][2]};
    std::vector<Parameter> list{{"kernel", kernel, options_.kernel_initializer, true, options_.kernel_regularizer}};
    if (options_.use_bias)
        list.push_back({"bias", {options_.filters}, options_.bias_initializer, true, options_.bias_regularizer});
    return list;
}

Halo Conv2DTranspose::input_halo(const std::vector<Shape>& inputs) const {
    return convolution::output_halo(problem(*this, inputs[0]));
}
Halo Conv2DTranspose::gradient_halo(const std::vector<Shape>& inputs) const {
    return convolution::input_halo(problem(*this, inputs[0]));
}

// Each output position sees ceil(extent / stride) input positions.
Window Conv2DTranspose::window() const {
    const auto seen = [](int64_t kernel, int64_t stride, int64_t dilation) {
        return ((kernel - 1) * dilation + stride) / stride;
    };
    return {{seen(options_.kernel_size.h, options_.strides.h, options_.dilation_rate.h),
             seen(options_.kernel_size.w, options_.strides.w, options_.dilation_rate.w)},
            {1}};
}

int64_t Conv2DTranspose::multiply_adds(const std::vector<Shape>& inputs) const {
    return element_count(single(inputs)) * options_.kernel_size.h * options_.kernel_size.w * options_.filters;
}

void Conv2DTranspose::emit(PlanContext& plan) const {
    const TensorId x = plan.input(), y = plan.output(), kernel = plan.parameter("kernel");
    const Shape shape = plan.shape(x);
    const convolution::Problem p = problem(*this, {shape[1], shape[2], shape[3]});
    const bool bias = options_.use_bias;
    const kernels::Epilogue epilogue = convolution::epilogue_of(plan, options_.activation);
    convolution::emit_to_input(plan, p, x, kernel, {bias ? plan.parameter("bias") : TensorId(), y, epilogue});
    plan.backward([=, relu = convolution::is_relu(epilogue)](BackwardContext& b) {
        TensorId dy = convolution::gradient_before_relu(b, y, relu);
        // The gradient to the kernel reads the halo too; the planner lays one only where the input's gradient is
        // wanted.
        if (const Halo halo = convolution::input_halo(p); !b.halo(dy).covers(halo)) {
            const TensorId copy = b.create(b.shape(dy), halo);
            b.step(copy_step(b, "copy gradient", dy, b.view(dy), 0, copy, b.view(copy), 0));
            dy = copy;
        }
        if (bias && b.wants_parameter_gradient("bias")) convolution::emit_to_bias(b, dy, b.parameter_gradient("bias"));
        if (b.wants_parameter_gradient("kernel"))
            convolution::emit_to_weights(b, p, dy, x, b.parameter_gradient("kernel"));
        if (b.wants_input_gradient()) convolution::emit_forward(b, p, dy, kernel, {{}, b.input_gradient()});
    });
}

}  // namespace striate
