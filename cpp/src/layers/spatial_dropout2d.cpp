#include "striate/layers/spatial_dropout2d.hpp"

#include "layers/steps.hpp"
#include "striate/error.hpp"

namespace striate {
namespace {

// to = from * factors, one factor for each channel of a sample.
Step scale_channels(const PlanContext& plan, const char* what, TensorId from, TensorId factors, TensorId to) {
    const View v = plan.view(from);
    const View channels{v.n, 1, 1, v.c, v.c, v.c, v.c};
    return in_place(kernel_step(plan, what, dispatch::kernels().binary,
                                kernels::BinaryArgs{kernels::BinaryKind::multiply, v, channels, plan.view(to), nullptr,
                                                    nullptr, nullptr},
                                {from, factors}, {to},
                                [=](kernels::BinaryArgs& a, const Frame& f) {
                                    a.a = f.get(from);
                                    a.b = f.get(factors);
                                    a.y = f.get(to);
                                }),
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
        plan.backward([](PlanContext& p) { p.pass_input_gradient(0, p.output_gradient()); });
        return;
    }
    const TensorId x = plan.input();
    const View v = plan.view(x);
    const uint64_t stream = plan.random_stream();
    const TensorId factors = plan.create({v.n, v.c});
    plan.step(kernel_step(plan, "dropout factors", dispatch::kernels().dropout_factors,
                          kernels::DropoutFactorsArgs{{}, options_.rate, v.n * v.c, nullptr}, {}, {factors},
                          [=](kernels::DropoutFactorsArgs& a, const Frame& f) {
                              a.source = {f.seed, stream, static_cast<uint32_t>(f.iteration)};
                              a.out = f.get(factors);
                          }));
    plan.step(scale_channels(plan, "spatial dropout", x, factors, plan.output()));
    plan.backward([=](PlanContext& p) {
        if (!p.wants_input_gradient()) return;
        const TensorId dy = p.output_gradient();
        p.step(scale_channels(p, "spatial dropout backward", dy, factors, p.input_gradient()));
    });
}

}  // namespace striate
