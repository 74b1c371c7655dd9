#include "striate/layers/group_normalization.hpp"

#include "layers/normalization_steps.hpp"
#include "layers/steps.hpp"
#include "striate/error.hpp"

namespace striate {

GroupNormalization::GroupNormalization(Options options, std::string name)
    : LayerOf(std::move(options), std::move(name)) {
    require(options_.groups > 0 || options_.groups == -1, "[", label(),
            "] groups must be positive, or -1 for one a channel, got ", options_.groups);
    normalization::check_epsilon(options_.epsilon, label());
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
    if (options_.scale) list.push_back({"gamma", channels, options_.gamma_initializer, true});
    if (options_.center) list.push_back({"beta", channels, options_.beta_initializer, true});
    return list;
}

void GroupNormalization::emit(PlanContext& plan) const {
    using normalization::pointer;
    const kernels::Table& table = dispatch::kernels();
    const TensorId x = plan.input(), y = plan.output();
    const View v = plan.view(x);
    const int64_t groups = options_.groups == -1 ? v.c : options_.groups;
    const int64_t pieces = kernels::sum_pieces(v.h, v.h * v.w * v.c);
    const TensorId gamma = options_.scale ? plan.parameter("gamma") : TensorId{};
    const TensorId beta = options_.center ? plan.parameter("beta") : TensorId{};
    const TensorId partials = plan.create({v.n * pieces * 4 * v.c});  // doubles
    const TensorId mean = plan.create({v.n, v.c}), inverse_std = plan.create({v.n, v.c}),
                   scale = plan.create({v.n, v.c});
    plan.step(kernel_step(plan, "group statistics", table.moments,
                          kernels::MomentsArgs{v, nullptr, nullptr, v.n, pieces}, {x}, {partials},
                          [=](kernels::MomentsArgs& a, const Frame& f) {
                              a.x = f.get(x);
                              a.partials = f.get<double>(partials);
                          }));
    kernels::GroupNormMergeArgs merge{};
    merge.n = v.n;
    merge.c = v.c;
    merge.groups = groups;
    merge.rows = v.h;
    merge.row_pixels = v.w;
    merge.pieces = pieces;
    merge.epsilon = static_cast<float>(options_.epsilon);
    plan.step(kernel_step(plan, "merge statistics", table.group_norm_merge, merge, {partials},
                          {mean, inverse_std, scale}, [=](kernels::GroupNormMergeArgs& a, const Frame& f) {
                              a.partials = f.get<double>(partials);
                              a.gamma = pointer(f, gamma);
                              a.mean = f.get(mean);
                              a.inverse_std = f.get(inverse_std);
                              a.scale = f.get(scale);
                          }));
    const normalization::Affine affine{mean, scale, beta, v.c};
    normalization::emit_affine(plan, x, y, affine);

    plan.backward([=](PlanContext& p) {
        const TensorId dy = p.output_gradient();
        const bool wants_gamma = gamma.valid() && p.wants_parameter_gradient("gamma");
        const bool wants_beta = beta.valid() && p.wants_parameter_gradient("beta");
        const TensorId sums = normalization::emit_gradient_moments(p, x, dy, affine, v.n, pieces);
        if (wants_gamma || wants_beta) {
            const TensorId d_gamma = wants_gamma ? p.parameter_gradient("gamma") : TensorId{};
            const TensorId d_beta = wants_beta ? p.parameter_gradient("beta") : TensorId{};
            std::vector<TensorId> writes;
            for (const TensorId id : {d_gamma, d_beta})
                if (id.valid()) writes.push_back(id);
            p.step(
                kernel_step(p, "parameter gradients", dispatch::kernels().group_norm_parameter_gradients,
                            kernels::GroupNormParameterGradArgs{v.n, v.c, pieces, nullptr, nullptr, nullptr, nullptr},
                            {sums, inverse_std}, writes, [=](kernels::GroupNormParameterGradArgs& a, const Frame& f) {
                                a.partials = f.get<double>(sums);
                                a.inverse_std = f.get(inverse_std);
                                a.d_gamma = pointer(f, d_gamma);
                                a.d_beta = pointer(f, d_beta);
                            }));
        }
        if (!p.wants_input_gradient()) return;
        const TensorId slope = p.create({v.n, v.c}), offset = p.create({v.n, v.c});
        kernels::GroupNormGradMergeArgs args{};
        args.n = v.n;
        args.c = v.c;
        args.groups = groups;
        args.pieces = pieces;
        args.pixels = static_cast<double>(v.h * v.w);
        p.step(kernel_step(p, "merge gradient sums", dispatch::kernels().group_norm_backward_merge, args,
                           {sums, inverse_std}, {slope, offset},
                           [=](kernels::GroupNormGradMergeArgs& a, const Frame& f) {
                               a.partials = f.get<double>(sums);
                               a.gamma = pointer(f, gamma);
                               a.inverse_std = f.get(inverse_std);
                               a.slope = f.get(slope);
                               a.offset = f.get(offset);
                           }));
        normalization::emit_affine_backward(p, x, dy, affine, {slope, offset});
    });
}

}  // namespace striate
