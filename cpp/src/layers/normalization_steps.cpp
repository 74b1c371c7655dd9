#include "layers/normalization_steps.hpp"

#include <cmath>

#include "layers/steps.hpp"
#include "striate/error.hpp"

namespace striate::normalization {

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
    std::vector<TensorId> reads{variance};
    if (gamma.valid()) reads.push_back(gamma);
    const int64_t c = element_count(plan.shape(scale));
    plan.prepare(kernel_step(plan, "fixed statistics", dispatch::kernels().batch_norm_fixed,
                             kernels::BatchNormFixedArgs{c, epsilon, nullptr, nullptr, nullptr, nullptr}, reads,
                             {inverse_std, scale}, [=](kernels::BatchNormFixedArgs& a, const Frame& f) {
                                 a.gamma = pointer(f, gamma);
                                 a.moving_variance = f.get(variance);
                                 a.inverse_std = f.get(inverse_std);
                                 a.scale = f.get(scale);
                             }));
}

void emit_affine(PlanContext& plan, TensorId x, TensorId y, const Affine& affine) {
    std::vector<TensorId> reads{x, affine.scale};
    for (const TensorId id : {affine.mean, affine.shift})
        if (id.valid()) reads.push_back(id);
    const kernels::ChannelAffineArgs args{plan.view(x), plan.view(y),        nullptr,    nullptr, nullptr, nullptr,
                                          nullptr,      affine.image_stride, affine.relu};
    plan.step(in_place(kernel_step(plan, affine.relu ? "normalise, relu" : "normalise",
                                   dispatch::kernels().channel_affine, args, reads, {y},
                                   [=](kernels::ChannelAffineArgs& a, const Frame& f) {
                                       a.x = f.get(x);
                                       a.y = f.get(y);
                                       a.mean = pointer(f, affine.mean);
                                       a.scale = f.get(affine.scale);
                                       a.shift = pointer(f, affine.shift);
                                   }),
                       x, y));
}

TensorId emit_gradient_moments(PlanContext& plan, TensorId x, TensorId dy, const Affine& affine, int64_t groups,
                               int64_t pieces) {
    const View view_x = plan.view(x);
    const TensorId partials = plan.create({groups * pieces * 4 * view_x.c});  // doubles
    kernels::MomentsGradArgs args{};
    args.view_x = view_x;
    args.view_dy = plan.view(dy);
    args.mean_stride = affine.image_stride;
    args.groups = groups;
    args.pieces = pieces;
    args.relu = affine.relu;
    std::vector<TensorId> reads{x, dy, affine.mean};
    if (affine.relu) reads.push_back(affine.scale);
    if (affine.relu && affine.shift.valid()) reads.push_back(affine.shift);
    plan.step(kernel_step(plan, "gradient sums", dispatch::kernels().moments_backward, args, reads, {partials},
                          [=](kernels::MomentsGradArgs& a, const Frame& f) {
                              a.x = f.get(x);
                              a.dy = f.get(dy);
                              a.mean = f.get(affine.mean);
                              a.scale = affine.relu ? f.get(affine.scale) : nullptr;
                              a.shift = affine.relu ? pointer(f, affine.shift) : nullptr;
                              a.partials = f.get<double>(partials);
                          }));
    return partials;
}

void emit_affine_backward(PlanContext& plan, TensorId x, TensorId dy, const Affine& affine, const Slope& slope) {
    const TensorId dx = plan.input_gradient();
    const bool sloped = slope.slope.valid(), centred = sloped || affine.relu;
    std::vector<TensorId> reads{dy, affine.scale};
    if (centred)
        for (const TensorId id : {x, affine.mean}) reads.push_back(id);
    if (sloped)
        for (const TensorId id : {slope.slope, slope.offset}) reads.push_back(id);
    if (affine.relu && affine.shift.valid()) reads.push_back(affine.shift);
    kernels::ChannelAffineGradArgs args{};
    args.view_x = plan.view(x);
    args.view_dy = plan.view(dy);
    args.view_dx = plan.view(dx);
    args.image_stride = affine.image_stride;
    args.relu = affine.relu;
    // The kernel asks only whether there is a slope; its units follow from that.
    static const float kSome = 0.0f;
    args.slope = sloped ? &kSome : nullptr;
    plan.step(
        in_place(kernel_step(plan, "normalise backward", dispatch::kernels().channel_affine_backward, args, reads, {dx},
                             [=](kernels::ChannelAffineGradArgs& a, const Frame& f) {
                                 a.x = centred ? f.get(x) : nullptr;
                                 a.dy = f.get(dy);
                                 a.dx = f.get(dx);
                                 a.mean = centred ? f.get(affine.mean) : nullptr;
                                 a.scale = f.get(affine.scale);
                                 a.shift = affine.relu ? pointer(f, affine.shift) : nullptr;
                                 a.slope = pointer(f, slope.slope);
                                 a.offset = pointer(f, slope.offset);
                             }),
                 dy, dx));
}

BatchNorm emit_statistics(PlanContext& plan, const BatchNormalizationOptions& options, TensorId x) {
    const kernels::Table& table = dispatch::kernels();
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
        const TensorId partials = plan.create({pieces * 4 * c});  // doubles
        plan.step(kernel_step(plan, "batch statistics", table.moments,
                              kernels::MomentsArgs{view, nullptr, nullptr, 1, pieces}, {x}, {partials},
                              [=](kernels::MomentsArgs& a, const Frame& f) {
                                  a.x = f.get(x);
                                  a.partials = f.get<double>(partials);
                              }));
        kernels::BatchNormMergeArgs merge{};
        merge.c = c;
        merge.rows = rows;
        merge.row_pixels = view.w;
        merge.pieces = pieces;
        merge.epsilon = epsilon;
        merge.momentum = static_cast<float>(options.momentum);
        std::vector<TensorId> reads{partials};
        if (gamma.valid()) reads.push_back(gamma);
        plan.step(kernel_step(plan, "merge statistics", table.batch_norm_merge, merge, reads,
                              {mean, inverse_std, scale, moving_mean, moving_variance},
                              [=](kernels::BatchNormMergeArgs& a, const Frame& f) {
                                  a.partials = f.get<double>(partials);
                                  a.gamma = pointer(f, gamma);
                                  a.mean = f.get(mean);
                                  a.inverse_std = f.get(inverse_std);
                                  a.scale = f.get(scale);
                                  a.moving_mean = f.get(moving_mean);
                                  a.moving_variance = f.get(moving_variance);
                              }));
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

Slope emit_gradients(PlanContext& plan, const BatchNorm& norm, TensorId x, TensorId dy) {
    const View view = plan.view(x);
    const int64_t c = view.c, rows = view.n * view.h, pieces = kernels::sum_pieces(rows, rows * view.w * c);
    const TensorId partials = emit_gradient_moments(plan, x, dy, norm.affine, 1, pieces);
    std::vector<TensorId> writes;
    const auto gradient = [&](TensorId parameter, const char* name) {
        if (!parameter.valid() || !plan.wants_parameter_gradient(name)) return TensorId{};
        return writes.emplace_back(plan.parameter_gradient(name));
    };
    const TensorId d_gamma = gradient(norm.gamma, "gamma"), d_beta = gradient(norm.affine.shift, "beta");
    Slope slope;
    if (norm.batch_statistics && plan.wants_input_gradient()) {
        slope = {plan.create({c}), plan.create({c})};
        writes.push_back(slope.slope);
        writes.push_back(slope.offset);
    }
    kernels::BatchNormGradMergeArgs merge{};
    merge.c = c;
    merge.pieces = pieces;
    merge.pixels = norm.pixels;
    plan.step(kernel_step(plan, "merge gradient sums", dispatch::kernels().batch_norm_backward_merge, merge,
                          {partials, norm.inverse_std, norm.affine.scale}, writes,
                          [=](kernels::BatchNormGradMergeArgs& a, const Frame& f) {
                              a.partials = f.get<double>(partials);
                              a.inverse_std = f.get(norm.inverse_std);
                              a.scale = f.get(norm.affine.scale);
                              a.d_gamma = pointer(f, d_gamma);
                              a.d_beta = pointer(f, d_beta);
                              a.slope = pointer(f, slope.slope);
                              a.offset = pointer(f, slope.offset);
                          }));
    return slope;
}

void emit_batch_normalization(PlanContext& plan, const BatchNormalizationOptions& options, bool relu) {
    const TensorId x = plan.input(), y = plan.output();
    BatchNorm norm = emit_statistics(plan, options, x);
    norm.affine.relu = relu;
    emit_affine(plan, x, y, norm.affine);
    plan.backward([=](PlanContext& p) {
        const TensorId dy = p.output_gradient();
        const Slope slope = wants_sums(p, norm) ? emit_gradients(p, norm, x, dy) : Slope{};
        if (p.wants_input_gradient()) emit_affine_backward(p, x, dy, norm.affine, slope);
    });
}

}  // namespace striate::normalization
