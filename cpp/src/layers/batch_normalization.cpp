#include "striate/layers/batch_normalization.hpp"

#include "layers/normalization_steps.hpp"
#include "layers/steps.hpp"
#include "striate/error.hpp"

namespace striate {

BatchNormalization::BatchNormalization(Options options, std::string name)
    : LayerOf(std::move(options), std::move(name)) {
    require(options_.momentum >= 0.0 && options_.momentum < 1.0, "[", label(),
            "] momentum must be at least 0 and less than 1, got ", options_.momentum);
    normalization::check_epsilon(options_.epsilon, label());
}

Shape BatchNormalization::infer(const std::vector<Shape>& inputs) const {
    const Shape& shape = single(inputs);
    normalization::check_last_axis(options_.axis, shape, label());
    return shape;
}

std::vector<Parameter> BatchNormalization::parameters(const std::vector<Shape>& inputs) const {
    const Shape channels{single(inputs).back()};
    std::vector<Parameter> list;
    if (options_.scale) list.push_back({"gamma", channels, options_.gamma_initializer, true});
    if (options_.center) list.push_back({"beta", channels, options_.beta_initializer, true});
    list.push_back({"moving_mean", channels, options_.moving_mean_initializer, false});
    list.push_back({"moving_variance", channels, options_.moving_variance_initializer, false});
    return list;
}

void BatchNormalization::emit(PlanContext& plan) const {
    using normalization::pointer;
    const kernels::Table& table = dispatch::kernels();
    const TensorId x = plan.input(), y = plan.output();
    const View view_x = plan.view(x);
    const int64_t c = view_x.c, rows = view_x.n * view_x.h, pieces = kernels::sum_pieces(rows, rows * view_x.w * c);
    const TensorId gamma = options_.scale ? plan.parameter("gamma") : TensorId{};
    const TensorId beta = options_.center ? plan.parameter("beta") : TensorId{};
    const TensorId moving_mean = plan.parameter("moving_mean"), moving_variance = plan.parameter("moving_variance");
    const TensorId inverse_std = plan.create({c}), scale = plan.create({c});
    const bool batch_statistics = plan.training() && !plan.frozen();
    const auto epsilon = static_cast<float>(options_.epsilon), momentum = static_cast<float>(options_.momentum);
    const TensorId mean = batch_statistics ? plan.create({c}) : moving_mean;

    if (batch_statistics) {
        const TensorId partials = plan.create({pieces * 4 * c});  // doubles
        plan.step(kernel_step(plan, "batch statistics", table.moments,
                              kernels::MomentsArgs{view_x, nullptr, nullptr, 1, pieces}, {x}, {partials},
                              [=](kernels::MomentsArgs& a, const Frame& f) {
                                  a.x = f.get(x);
                                  a.partials = f.get<double>(partials);
                              }));
        kernels::BatchNormMergeArgs merge{};
        merge.c = c;
        merge.rows = rows;
        merge.row_pixels = view_x.w;
        merge.pieces = pieces;
        merge.epsilon = epsilon;
        merge.momentum = momentum;
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
        plan.prepare(kernel_step(plan, "fixed statistics", table.batch_norm_fixed,
                                 kernels::BatchNormFixedArgs{c, epsilon, nullptr, nullptr, nullptr, nullptr},
                                 {moving_variance}, {inverse_std, scale},
                                 [=](kernels::BatchNormFixedArgs& a, const Frame& f) {
                                     a.gamma = pointer(f, gamma);
                                     a.moving_variance = f.get(moving_variance);
                                     a.inverse_std = f.get(inverse_std);
                                     a.scale = f.get(scale);
                                 }));
    }
    normalization::emit_affine(plan, x, y, mean, scale, beta, 0);

    plan.backward([=](PlanContext& p) {
        const TensorId dy = p.output_gradient();
        const View view_dy = p.view(dy);
        const bool wants_gamma = gamma.valid() && p.wants_parameter_gradient("gamma");
        const bool wants_beta = beta.valid() && p.wants_parameter_gradient("beta");
        const bool wants_x = p.wants_input_gradient();
        TensorId slope, offset;
        if (batch_statistics || wants_gamma || wants_beta) {
            const TensorId partials = normalization::emit_gradient_moments(p, x, dy, mean, 0, 1, pieces);
            const TensorId d_gamma = wants_gamma ? p.parameter_gradient("gamma") : TensorId{};
            const TensorId d_beta = wants_beta ? p.parameter_gradient("beta") : TensorId{};
            std::vector<TensorId> writes;
            for (const TensorId id : {d_gamma, d_beta})
                if (id.valid()) writes.push_back(id);
            if (batch_statistics && wants_x) {
                writes.push_back(slope = p.create({c}));
                writes.push_back(offset = p.create({c}));
            }
            kernels::BatchNormGradMergeArgs merge{};
            merge.c = c;
            merge.pieces = pieces;
            merge.pixels = static_cast<double>(view_dy.n * view_dy.h * view_dy.w);
            p.step(kernel_step(p, "merge gradient sums", dispatch::kernels().batch_norm_backward_merge, merge,
                               {partials, inverse_std, scale}, writes,
                               [=](kernels::BatchNormGradMergeArgs& a, const Frame& f) {
                                   a.partials = f.get<double>(partials);
                                   a.inverse_std = f.get(inverse_std);
                                   a.scale = f.get(scale);
                                   a.d_gamma = pointer(f, d_gamma);
                                   a.d_beta = pointer(f, d_beta);
                                   a.slope = pointer(f, slope);
                                   a.offset = pointer(f, offset);
                               }));
        }
        if (wants_x) normalization::emit_affine_backward(p, x, dy, mean, scale, slope, offset, 0);
    });
}

}  // namespace striate
