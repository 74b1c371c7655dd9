#include "layers/normalization_steps.hpp"

#include <cmath>

#include "planning/kernel_call.hpp"
#include "striate/error.hpp"

namespace striate::normalization {

using kernels::K;

namespace {

const char* name_of(kernels::ActivationKind activation) {
    switch (activation) {
        case kernels::ActivationKind::relu:
            return "normalise, relu";
        case kernels::ActivationKind::relu6:
            return "normalise, relu6";
        case kernels::ActivationKind::silu:
            return "normalise, silu";
        case kernels::ActivationKind::hard_swish:
            return "normalise, hard_swish";
        default:
            return "normalise";
    }
}

}  // namespace

void check_epsilon(double epsilon, const std::string& owner) {
    require(epsilon > 0.0 && std::isfinite(epsilon), "[", owner, "] epsilon must be a positive number, got ", epsilon);
}

void check_last_axis(int64_t axis, const Shape& input, const std::string& owner) {
    const auto last = static_cast<int64_t>(input.size());
    require(axis == -1 || axis == last, "[", owner, "] the channels' axis is the last, -1 or here ", last,
            ", got axis ", axis);
}

void emit_fixed_statistics(PlanContext& plan, TensorId variance, TensorId gamma, float epsilon, TensorId inverse_std,
                           TensorId scale) {
    const kernels::BatchNormFixedArgs args{
        element_count(plan.shape(scale)), epsilon, nullptr, nullptr, nullptr, nullptr};
    plan.prepare(kernel_step(plan, K::batch_norm_fixed, "fixed statistics", args,
                             {reads(args.gamma, gamma), reads(args.moving_variance, variance),
                              writes(args.inverse_std, inverse_std), writes(args.scale, scale)}));
}

void emit_affine(PlanContext& plan, TensorId x, TensorId y, const Affine& affine) {
    const kernels::ChannelAffineArgs args{plan.view(x),     plan.view(y), nullptr, nullptr,
                                          nullptr,          nullptr,      nullptr, affine.image_stride,
                                          affine.activation};
    Step step = kernel_step(plan, K::channel_affine, name_of(affine.activation), args,
                            {reads(args.x, x), writes(args.y, y), reads(args.mean, affine.mean),
                             reads(args.scale, affine.scale), reads(args.shift, affine.shift)});
    if (affine.image_stride == 0) step.rows = kSameRows;
    plan.step(in_place(std::move(step), x, y));
}

TensorId emit_gradient_moments(PlanContext& plan, TensorId x, TensorId dy, const Affine& affine, int64_t groups,
                               int64_t pieces) {
    const View view_x = plan.view(x);
    const TensorId partials = plan.create({groups * pieces * 2 * view_x.c}, {}, DType::float64);
    kernels::MomentsGradArgs args{};
    args.view_x = view_x;
    args.view_dy = plan.view(dy);
    args.mean_stride = affine.image_stride;
    args.groups = groups;
    args.pieces = pieces;
    args.activation = affine.activation;
    plan.step(kernel_step(
        plan, K::moments_backward, "gradient sums", args,
        {reads(args.x, x), reads(args.dy, dy), reads(args.mean, affine.mean),
         reads(args.scale, affine.applies() ? affine.scale : TensorId()),
         reads(args.shift, affine.applies() ? affine.shift : TensorId()), writes(args.partials, partials)}));
    return partials;
}

void emit_affine_backward(BackwardContext& plan, TensorId x, TensorId dy, const Affine& affine, const Slope& slope) {
    const TensorId dx = plan.input_gradient();
    const bool sloped = slope.slope.valid(), centred = sloped || affine.applies();
    kernels::ChannelAffineGradArgs args{};
    args.view_x = plan.view(x);
    args.view_dy = plan.view(dy);
    args.view_dx = plan.view(dx);
    args.image_stride = affine.image_stride;
    args.activation = affine.activation;
    const auto needed = [](bool yes, TensorId id) { return yes ? id : TensorId(); };
    plan.step(in_place(kernel_step(plan, K::channel_affine_backward, "normalise backward", args,
                                   {reads(args.x, needed(centred, x)), reads(args.dy, dy), writes(args.dx, dx),
                                    reads(args.mean, needed(centred, affine.mean)), reads(args.scale, affine.scale),
                                    reads(args.shift, needed(affine.applies(), affine.shift)),
                                    reads(args.slope, slope.slope), reads(args.offset, slope.offset)}),
                       dy, dx));
}

BatchNorm emit_statistics(PlanContext& plan, const BatchNormalizationOptions& options, TensorId x) {
    const View view = plan.view(x);
    const int64_t c = view.c, rows = view.n * view.h;
    const TensorId gamma = options.scale ? plan.parameter("gamma") : TensorId{};
    const TensorId beta = options.center ? plan.parameter("beta") : TensorId{};
    const TensorId moving_mean = plan.parameter("moving_mean"), moving_variance = plan.parameter("moving_variance");
    const TensorId inverse_std = plan.create({c}), scale = plan.create({c});
    const bool batch_statistics = plan.training() && !plan.frozen();
    const TensorId mean = batch_statistics ? plan.create({c}) : moving_mean;
    const auto epsilon = static_cast<float>(options.epsilon);

    if (batch_statistics) {
        const int64_t pieces = kernels::sum_pieces(rows, rows * view.w * c);
        const TensorId partials = plan.create({pieces * 2 * c}, {}, DType::float64);
        const kernels::MomentsArgs sums{view, nullptr, nullptr, 1, pieces};
        plan.step(kernel_step(plan, K::moments, "batch statistics", sums,
                              {reads(sums.x, x), writes(sums.partials, partials)}));
        kernels::BatchNormMergeArgs merge{};
        merge.c = c;
        merge.rows = rows;
        merge.row_pixels = view.w;
        merge.pieces = pieces;
        merge.epsilon = epsilon;
        merge.momentum = static_cast<float>(options.momentum);
        merge.unbiased = options.unbiased_variance;
        plan.step(
            kernel_step(plan, K::batch_norm_merge, "merge statistics", merge,
                        {reads(merge.partials, partials), reads(merge.counts, {}), reads(merge.gamma, gamma),
                         writes(merge.mean, mean), writes(merge.inverse_std, inverse_std), writes(merge.scale, scale),
                         updates(merge.moving_mean, moving_mean), updates(merge.moving_variance, moving_variance)}));
    } else {
        emit_fixed_statistics(plan, moving_variance, gamma, epsilon, inverse_std, scale);
    }
    return {{mean, scale, beta}, gamma, inverse_std, static_cast<double>(rows * view.w), batch_statistics};
}

bool wants_sums(const PlanContext& plan, const BatchNorm& norm) {
    return (norm.batch_statistics && plan.wants_input_gradient()) ||
           (norm.gamma.valid() && plan.wants_parameter_gradient("gamma")) ||
           (norm.affine.shift.valid() && plan.wants_parameter_gradient("beta"));
}

Slope emit_gradients(BackwardContext& plan, const BatchNorm& norm, TensorId x, TensorId dy) {
    const View view = plan.view(x);
    const int64_t c = view.c, rows = view.n * view.h, pieces = kernels::sum_pieces(rows, rows * view.w * c);
    const TensorId partials = emit_gradient_moments(plan, x, dy, norm.affine, 1, pieces);
    const auto gradient = [&](TensorId parameter, const char* name) {
        if (!parameter.valid() || !plan.wants_parameter_gradient(name)) return TensorId{};
        return plan.parameter_gradient(name);
    };
    const TensorId d_gamma = gradient(norm.gamma, "gamma"), d_beta = gradient(norm.affine.shift, "beta");
    Slope slope;
    if (norm.batch_statistics && plan.wants_input_gradient()) slope = {plan.create({c}), plan.create({c})};
    kernels::BatchNormGradMergeArgs merge{};
    merge.c = c;
    merge.pieces = pieces;
    merge.pixels = norm.pixels;
    plan.step(kernel_step(
        plan, K::batch_norm_backward_merge, "merge gradient sums", merge,
        {reads(merge.partials, partials), reads(merge.inverse_std, norm.inverse_std),
         reads(merge.scale, norm.affine.scale), writes(merge.d_gamma, d_gamma), writes(merge.d_beta, d_beta),
         writes(merge.slope, slope.slope), writes(merge.offset, slope.offset)}));
    return slope;
}

void emit_batch_normalization(PlanContext& plan, const BatchNormalizationOptions& options,
                              kernels::ActivationKind activation) {
    const TensorId x = plan.input(), y = plan.output();
    BatchNorm norm = emit_statistics(plan, options, x);
    norm.affine.activation = activation;
    emit_affine(plan, x, y, norm.affine);
    plan.backward([=](BackwardContext& p) {
        const TensorId dy = p.output_gradient();
        const Slope slope = wants_sums(p, norm) ? emit_gradients(p, norm, x, dy) : Slope{};
        if (p.wants_input_gradient()) emit_affine_backward(p, x, dy, norm.affine, slope);
    });
}

}  // namespace striate::normalization
