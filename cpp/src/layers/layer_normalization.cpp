#include "striate/layers/layer_normalization.hpp"

#include <algorithm>

#include "layers/normalization_steps.hpp"
#include "planning/kernel_call.hpp"
#include "striate/error.hpp"

namespace striate {

LayerNormalization::LayerNormalization(Options options, std::string name)
    : LayerOf(std::move(options), std::move(name)) {
    normalization::check_epsilon(options_.epsilon, label());
    penalty_of(options_.beta_regularizer, label());
    penalty_of(options_.gamma_regularizer, label());
}

size_t LayerNormalization::axes(const Shape& input) const {
    const auto rank = static_cast<int64_t>(input.size());
    std::vector<int64_t> axes = options_.axis;
    for (int64_t& axis : axes) axis = axis < 0 ? axis + rank + 1 : axis;
    std::sort(axes.begin(), axes.end());
    const auto count = static_cast<int64_t>(axes.size());
    bool last = count >= 1 && count <= std::min<int64_t>(rank, 3);
    for (int64_t i = 0; last && i < count; ++i) last = axes[static_cast<size_t>(i)] == rank - count + 1 + i;
    require(last, "[", label(), "] axis must be the last axis or the last two or three of ", with_batch(input),
            ", got ", to_string(options_.axis));
    return axes.size();
}

Shape LayerNormalization::infer(const std::vector<Shape>& inputs) const {
    const Shape& shape = single(inputs);
    axes(shape);
    return shape;
}

std::vector<Parameter> LayerNormalization::parameters(const std::vector<Shape>& inputs) const {
    const Shape& shape = single(inputs);
    const Shape normalised(shape.end() - static_cast<std::ptrdiff_t>(axes(shape)), shape.end());
    std::vector<Parameter> list;
    if (options_.scale)
        list.push_back({"gamma", normalised, options_.gamma_initializer, true, options_.gamma_regularizer});
    if (options_.center)
        list.push_back({"beta", normalised, options_.beta_initializer, true, options_.beta_regularizer});
    return list;
}

void LayerNormalization::emit(PlanContext& plan) const {
    const TensorId x = plan.input(), y = plan.output();
    const Shape whole = plan.shape(x);
    const int count = static_cast<int>(axes(Shape(whole.begin() + 1, whole.end())));
    const View view_x = plan.view(x);
    const TensorId gamma = options_.scale ? plan.parameter("gamma") : TensorId{};
    const TensorId beta = options_.center ? plan.parameter("beta") : TensorId{};
    const int64_t rows = kernels::normalised_rows(view_x, count), size = kernels::normalised_size(view_x, count);
    TensorId mean, inverse_std;
    if (plan.backward_follows()) {
        mean = plan.create({rows});
        inverse_std = plan.create({rows});
    }
    kernels::LayerNormArgs args{};
    args.axes = count;
    args.view_x = view_x;
    args.view_y = plan.view(y);
    args.epsilon = static_cast<float>(options_.epsilon);
    plan.step(
        with_rows(kernel_step(plan, kernels::K::layer_norm, "layer normalisation", args,
                              {reads(args.x, x), reads(args.gamma, gamma), reads(args.beta, beta), writes(args.y, y),
                               writes(args.mean, mean), writes(args.inverse_std, inverse_std)}),
                  count < 3 ? kSameRows : RowMap()));
    plan.backward([=](BackwardContext& p) {
        const TensorId dy = p.output_gradient();
        const bool wants_gamma = gamma.valid() && p.wants_parameter_gradient("gamma");
        const bool wants_beta = beta.valid() && p.wants_parameter_gradient("beta");
        const int64_t pieces = kernels::sum_pieces(rows, rows * size);
        kernels::LayerNormGradArgs grad{};
        grad.axes = count;
        grad.view_x = view_x;
        grad.view_dy = p.view(dy);
        grad.pieces = pieces;
        TensorId dx, partials;
        if (p.wants_input_gradient()) {
            dx = p.input_gradient();
            grad.view_dx = p.view(dx);
        }
        if (wants_gamma || wants_beta) partials = p.create({pieces * 2 * size}, {}, DType::float64);
        p.step(
            kernel_step(p, kernels::K::layer_norm_backward, "layer normalisation backward", grad,
                        {reads(grad.x, x), reads(grad.gamma, gamma), reads(grad.dy, dy), reads(grad.mean, mean),
                         reads(grad.inverse_std, inverse_std), writes(grad.dx, dx), writes(grad.partials, partials)}));
        if (!partials.valid()) return;
        // A piece's sums are side by side, gamma's before beta's; they are merged as one row.
        const TensorId merged = p.create({2 * size});
        const kernels::MergeSumsArgs merge{pieces, 2 * size, nullptr, nullptr, 1.0};
        p.step(kernel_step(p, kernels::K::merge_sums, "merge sums", merge,
                           {reads(merge.partials, partials), writes(merge.out, merged)}));
        const View row{1, 1, 1, size, size, size, size};
        if (wants_gamma) p.step(copy_step(p, "gamma gradient", merged, row, 0, p.parameter_gradient("gamma"), row, 0));
        if (wants_beta) p.step(copy_step(p, "beta gradient", merged, row, size, p.parameter_gradient("beta"), row, 0));
    });
}

}  // namespace striate
