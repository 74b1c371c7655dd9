#include "striate/layers/group_normalization.hpp"

#include "layers/normalization_steps.hpp"
#include "planning/kernel_call.hpp"
#include "striate/error.hpp"

namespace striate {

GroupNormalization::GroupNormalization(Options options, std::string name)
    : LayerOf(std::move(options), std::move(name)) {
    require(options_.groups > 0 || options_.groups == -1, "[", label(),
            "] groups must be positive, or -1 for one per channel, got ", options_.groups);
    normalization::check_epsilon(options_.epsilon, label());
    penalty_of(options_.beta_regularizer, label());
    penalty_of(options_.gamma_regularizer, label());
}

Shape GroupNormalization::infer(const std::vector<Shape>& inputs) const {
    const Shape& shape = single(inputs);
    normalization::check_last_axis(options_.axis, shape, label());
    require(options_.groups == -1 || shape.back() % options_.groups == 0, "[", label(), "] ", options_.groups,
            " groups do not divide the ", shape.back(), " channels of ", with_batch(shape));
    return shape;
}

std::vector<Parameter> GroupNormalization::parameters(const std::vector<Shape>& inputs) const {
    const Shape channels{single(inputs).back()};
    std::vector<Parameter> list;
    if (options_.scale)
        list.push_back({"gamma", channels, options_.gamma_initializer, true, options_.gamma_regularizer});
    if (options_.center) list.push_back({"beta", channels, options_.beta_initializer, true, options_.beta_regularizer});
    return list;
}

void GroupNormalization::emit(PlanContext& plan) const {
    const TensorId x = plan.input(), y = plan.output();
    const View v = plan.view(x);
    const int64_t groups = options_.groups == -1 ? v.c : options_.groups;
    const int64_t pieces = kernels::sum_pieces(v.h, v.h * v.w * v.c);
    const TensorId gamma = options_.scale ? plan.parameter("gamma") : TensorId{};
    const TensorId beta = options_.center ? plan.parameter("beta") : TensorId{};
    const TensorId partials = plan.create({v.n * pieces * 2 * v.c}, {}, DType::float64);
    const TensorId mean = plan.create({v.n, v.c}), inverse_std = plan.create({v.n, v.c}),
                   scale = plan.create({v.n, v.c});
    const kernels::MomentsArgs moments{v, nullptr, nullptr, v.n, pieces};
    plan.step(kernel_step(plan, kernels::K::moments, "group statistics", moments,
                          {reads(moments.x, x), writes(moments.partials, partials)}));
    kernels::GroupNormMergeArgs merge{};
    merge.n = v.n;
    merge.c = v.c;
    merge.groups = groups;
    merge.rows = v.h;
    merge.row_pixels = v.w;
    merge.pieces = pieces;
    merge.epsilon = static_cast<float>(options_.epsilon);
    plan.step(kernel_step(plan, kernels::K::group_norm_merge, "merge statistics", merge,
                          {reads(merge.partials, partials), reads(merge.gamma, gamma), writes(merge.mean, mean),
                           writes(merge.inverse_std, inverse_std), writes(merge.scale, scale)}));
    const normalization::Affine affine{mean, scale, beta, v.c};
    normalization::emit_affine(plan, x, y, affine);

    plan.backward([=](BackwardContext& p) {
        const TensorId dy = p.output_gradient();
        const bool wants_gamma = gamma.valid() && p.wants_parameter_gradient("gamma");
        const bool wants_beta = beta.valid() && p.wants_parameter_gradient("beta");
        const TensorId sums = normalization::emit_gradient_moments(p, x, dy, affine, v.n, pieces);
        if (wants_gamma || wants_beta) {
            const TensorId d_gamma = wants_gamma ? p.parameter_gradient("gamma") : TensorId{};
            const TensorId d_beta = wants_beta ? p.parameter_gradient("beta") : TensorId{};
            const kernels::GroupNormParameterGradArgs grad{v.n, v.c, pieces, nullptr, nullptr, nullptr, nullptr};
            p.step(kernel_step(p, kernels::K::group_norm_parameter_gradients, "parameter gradients", grad,
                               {reads(grad.partials, sums), reads(grad.inverse_std, inverse_std),
                                writes(grad.d_gamma, d_gamma), writes(grad.d_beta, d_beta)}));
        }
        if (!p.wants_input_gradient()) return;
        const TensorId slope = p.create({v.n, v.c}), offset = p.create({v.n, v.c});
        kernels::GroupNormGradMergeArgs args{};
        args.n = v.n;
        args.c = v.c;
        args.groups = groups;
        args.pieces = pieces;
        args.pixels = static_cast<double>(v.h * v.w);
        p.step(kernel_step(p, kernels::K::group_norm_backward_merge, "merge gradient sums", args,
                           {reads(args.partials, sums), reads(args.gamma, gamma), reads(args.inverse_std, inverse_std),
                            writes(args.slope, slope), writes(args.offset, offset)}));
        normalization::emit_affine_backward(p, x, dy, affine, {slope, offset});
    });
}

}  // namespace striate
