#include "striate/layers/prelu.hpp"

#include <algorithm>

#include "planning/kernel_call.hpp"
#include "striate/error.hpp"
#include "striate/initializers.hpp"

namespace striate {

PReLU::PReLU(Options options, std::string name) : LayerOf(std::move(options), std::move(name)) {
    check_initializer(options_.alpha_initializer, label());
    penalty_of(options_.alpha_regularizer, label());
}

Shape PReLU::alpha_shape(const Shape& input) const {
    Shape shape = input;
    const auto rank = static_cast<int64_t>(shape.size());
    for (int64_t axis : options_.shared_axes.value_or(std::vector<int64_t>{})) {
        const int64_t index = axis < 0 ? axis + rank : axis - 1;
        require(axis != 0 && index >= 0 && index < rank, "[", label(), "] shared_axes are axes of the input ",
                with_batch(input), " other than the batch, 1 to ", rank, ", got ", axis);
        shape[static_cast<size_t>(index)] = 1;
    }
    return shape;
}

Shape PReLU::infer(const std::vector<Shape>& inputs) const {
    const Shape& shape = single(inputs);
    require(shape.size() <= 3, "[", label(), "] expects input of at most 4 dimensions, got ", with_batch(shape));
    alpha_shape(shape);
    return shape;
}

std::vector<Parameter> PReLU::parameters(const std::vector<Shape>& inputs) const {
    return {{"alpha", alpha_shape(single(inputs)), options_.alpha_initializer, true, options_.alpha_regularizer}};
}

void PReLU::emit(PlanContext& plan) const {
    const TensorId x = plan.input(), y = plan.output(), alpha = plan.parameter("alpha");
    const View view_x = plan.view(x), view_y = plan.view(y);
    const Shape shape = plan.shape(alpha);
    // Strides of alpha along rows, pixels and channels of the map; 0 where it is shared.
    int64_t strides[3] = {0, 0, 0}, step = 1;
    for (size_t i = 0; i < shape.size(); ++i) {
        const int64_t size = shape[shape.size() - 1 - i];
        strides[2 - i] = size > 1 ? step : 0;
        step *= size;
    }
    const kernels::PReluArgs args{view_x, view_y, nullptr, nullptr, strides[0], strides[1], strides[2], nullptr};
    plan.step(kernel_step(plan, kernels::K::prelu_forward, "prelu", args,
                          {reads(args.x, x), reads(args.alpha, alpha), writes(args.y, y)}));
    const int64_t size = step;
    plan.backward([=, s0 = strides[0], s1 = strides[1], s2 = strides[2]](BackwardContext& p) {
        const TensorId dy = p.output_gradient();
        const bool wants_alpha = p.wants_parameter_gradient("alpha"), wants_x = p.wants_input_gradient();
        const int64_t pieces = std::min<int64_t>(view_x.n, 64);
        kernels::PReluGradArgs grad{view_x, p.view(dy), {},   nullptr, nullptr, nullptr, s0,
                                    s1,     s2,         size, nullptr, nullptr, pieces};
        TensorId dx, partials;
        if (wants_x) {
            dx = p.input_gradient();
            grad.view_dx = p.view(dx);
        }
        if (wants_alpha) partials = p.create({pieces * size}, {}, DType::float64);
        p.step(kernel_step(p, kernels::K::prelu_backward, "prelu backward", grad,
                           {reads(grad.x, x), reads(grad.alpha, alpha), reads(grad.dy, dy), writes(grad.dx, dx),
                            writes(grad.partials, partials)}));
        if (!wants_alpha) return;
        const TensorId d_alpha = p.parameter_gradient("alpha");
        const kernels::MergeSumsArgs merge{pieces, size, nullptr, nullptr, 1.0};
        p.step(kernel_step(p, kernels::K::merge_sums, "merge sums", merge,
                           {reads(merge.partials, partials), writes(merge.out, d_alpha)}));
    });
}

}  // namespace striate
