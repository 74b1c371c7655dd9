#include "striate/layers/prelu.hpp"

#include <algorithm>

#include "layers/steps.hpp"
#include "striate/error.hpp"
#include "striate/initializers.hpp"

namespace striate {

PReLU::PReLU(Options options, std::string name) : LayerOf(std::move(options), std::move(name)) {
    check_initializer(options_.alpha_initializer, label());
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
    return {{"alpha", alpha_shape(single(inputs)), options_.alpha_initializer, true}};
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
    kernels::PReluArgs args{view_x, view_y, nullptr, nullptr, strides[0], strides[1], strides[2], nullptr};
    plan.step(kernel_step(plan, "prelu", dispatch::kernels().prelu_forward, args, {x, alpha}, {y},
                          [=](kernels::PReluArgs& a, const Frame& f) {
                              a.x = f.get(x);
                              a.alpha = f.get(alpha);
                              a.y = f.get(y);
                          }));
    const int64_t size = step;
    plan.backward([=, s0 = strides[0], s1 = strides[1], s2 = strides[2]](PlanContext& p) {
        const TensorId dy = p.output_gradient();
        const bool wants_alpha = p.wants_parameter_gradient("alpha"), wants_x = p.wants_input_gradient();
        const int64_t pieces = std::min<int64_t>(view_x.n, 64);
        kernels::PReluGradArgs grad{view_x, p.view(dy), {},   nullptr, nullptr, nullptr, s0,
                                    s1,     s2,         size, nullptr, nullptr, pieces};
        std::vector<TensorId> writes;
        TensorId dx, partials;
        if (wants_x) {
            writes.push_back(dx = p.input_gradient());
            grad.view_dx = p.view(dx);
        }
        if (wants_alpha) writes.push_back(partials = p.create({2 * pieces * size}));
        p.step(kernel_step(p, "prelu backward", dispatch::kernels().prelu_backward, grad, {x, alpha, dy}, writes,
                           [=](kernels::PReluGradArgs& a, const Frame& f) {
                               a.x = f.get(x);
                               a.alpha = f.get(alpha);
                               a.dy = f.get(dy);
                               a.dx = dx.valid() ? f.get(dx) : nullptr;
                               a.partials = partials.valid() ? f.get<double>(partials) : nullptr;
                           }));
        if (!wants_alpha) return;
        const TensorId d_alpha = p.parameter_gradient("alpha");
        p.step(kernel_step(p, "merge sums", dispatch::kernels().merge_sums,
                           kernels::MergeSumsArgs{pieces, size, nullptr, nullptr, 1.0}, {partials}, {d_alpha},
                           [=](kernels::MergeSumsArgs& a, const Frame& f) {
                               a.partials = f.get<double>(partials);
                               a.out = f.get(d_alpha);
                           }));
    });
}

}  // namespace striate
