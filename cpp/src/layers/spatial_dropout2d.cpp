#include "striate/layers/spatial_dropout2d.hpp"

#include "planning/kernel_call.hpp"
#include "striate/error.hpp"

namespace striate {
namespace {

// to = from * factors, one factor for each channel of a sample.
Step scale_channels(const PlanContext& plan, const char* what, TensorId from, TensorId factors, TensorId to) {
    const View v = plan.view(from);
    const View channels{v.n, 1, 1, v.c, v.c, v.c, v.c};
    const kernels::BinaryArgs args{
        kernels::BinaryKind::multiply, v, channels, plan.view(to), nullptr, nullptr, nullptr};
    return in_place(kernel_step(plan, kernels::K::binary, what, args,
                                {reads(args.a, from), reads(args.b, factors), writes(args.y, to)}),
                    from, to);
}

}  // namespace

SpatialDropout2D::SpatialDropout2D(Options options, std::string name) : LayerOf(std::move(options), std::move(name)) {
    require(options_.rate >= 0.0 && options_.rate < 1.0, "[", label(),
            "] rate must be at least 0 and less than 1, got ", options_.rate);
}

Shape SpatialDropout2D::infer(const std::vector<Shape>& inputs) const {
    return single(inputs, 3, "(N, H, W, C)");
}

void SpatialDropout2D::emit(PlanContext& plan) const {
    if (!plan.training() || options_.rate == 0.0) {
        plan.output_is(plan.input());
        plan.backward([](BackwardContext& p) { p.pass_input_gradient(0, p.output_gradient()); });
        return;
    }
    const TensorId x = plan.input();
    const View v = plan.view(x);
    const TensorId factors = plan.create({v.n, v.c});
    kernels::DropoutFactorsArgs args{{}, options_.rate, v.n * v.c, nullptr};
    args.source.stream = plan.random_stream();
    args.source.row = v.c;
    plan.step(kernel_step(plan, kernels::K::dropout_factors, "dropout factors", args,
                          {random(args.source), writes(args.out, factors)}));
    plan.step(scale_channels(plan, "spatial dropout", x, factors, plan.output()));
    plan.backward([=](BackwardContext& p) {
        if (!p.wants_input_gradient()) return;
        const TensorId dy = p.output_gradient();
        p.step(scale_channels(p, "spatial dropout backward", dy, factors, p.input_gradient()));
    });
}

}  // namespace striate
