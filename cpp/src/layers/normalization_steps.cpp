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

void emit_affine(PlanContext& plan, TensorId x, TensorId y, TensorId mean, TensorId scale, TensorId shift,
                 int64_t image_stride) {
    std::vector<TensorId> reads{x, scale};
    for (const TensorId id : {mean, shift})
        if (id.valid()) reads.push_back(id);
    const kernels::ChannelAffineArgs args{plan.view(x), plan.view(y), nullptr,      nullptr, nullptr,
                                          nullptr,      nullptr,      image_stride, false};
    plan.step(in_place(kernel_step(plan, "normalise", dispatch::kernels().channel_affine, args, reads, {y},
                                   [=](kernels::ChannelAffineArgs& a, const Frame& f) {
                                       a.x = f.get(x);
                                       a.y = f.get(y);
                                       a.mean = pointer(f, mean);
                                       a.scale = f.get(scale);
                                       a.shift = pointer(f, shift);
                                   }),
                       x, y));
}

TensorId emit_gradient_moments(PlanContext& plan, TensorId x, TensorId dy, TensorId mean, int64_t mean_stride,
                               int64_t groups, int64_t pieces) {
    const View view_x = plan.view(x), view_dy = plan.view(dy);
    const TensorId partials = plan.create({groups * pieces * 4 * view_x.c});  // doubles
    kernels::MomentsGradArgs args{};
    args.view_x = view_x;
    args.view_y = view_x;
    args.view_dy = view_dy;
    args.mean_stride = mean_stride;
    args.groups = groups;
    args.pieces = pieces;
    plan.step(kernel_step(plan, "gradient sums", dispatch::kernels().moments_backward, args, {x, dy, mean}, {partials},
                          [=](kernels::MomentsGradArgs& a, const Frame& f) {
                              a.x = f.get(x);
                              a.dy = f.get(dy);
                              a.mean = f.get(mean);
                              a.partials = f.get<double>(partials);
                          }));
    return partials;
}

void emit_affine_backward(PlanContext& plan, TensorId x, TensorId dy, TensorId mean, TensorId scale, TensorId slope,
                          TensorId offset, int64_t image_stride) {
    const TensorId dx = plan.input_gradient();
    std::vector<TensorId> reads{dy, scale};
    if (slope.valid())
        for (const TensorId id : {x, mean, slope, offset}) reads.push_back(id);
    kernels::ChannelAffineGradArgs args{};
    args.view_x = plan.view(x);
    args.view_y = args.view_x;
    args.view_dy = plan.view(dy);
    args.view_dx = plan.view(dx);
    args.image_stride = image_stride;
    // The kernel asks only whether there is a slope; its units follow from that.
    static const float kSome = 0.0f;
    args.slope = slope.valid() ? &kSome : nullptr;
    plan.step(
        in_place(kernel_step(plan, "normalise backward", dispatch::kernels().channel_affine_backward, args, reads, {dx},
                             [=](kernels::ChannelAffineGradArgs& a, const Frame& f) {
                                 a.x = slope.valid() ? f.get(x) : nullptr;
                                 a.dy = f.get(dy);
                                 a.dx = f.get(dx);
                                 a.mean = slope.valid() ? f.get(mean) : nullptr;
                                 a.scale = f.get(scale);
                                 a.slope = pointer(f, slope);
                                 a.offset = pointer(f, offset);
                             }),
                 dy, dx));
}

}  // namespace striate::normalization
