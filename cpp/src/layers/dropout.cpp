#include "striate/layers/dropout.hpp"

#include "layers/steps.hpp"
#include "striate/error.hpp"

namespace striate {

Dropout::Dropout(Options options, std::string name) : LayerOf(std::move(options), std::move(name)) {
    require(options_.rate >= 0.0 && options_.rate < 1.0, "[", label(),
            "] rate must be at least 0 and less than 1, got ", options_.rate);
}

Shape Dropout::infer(const std::vector<Shape>& inputs) const {
    return single(inputs);
}

void Dropout::emit(PlanContext& plan) const {
    if (!plan.training() || options_.rate == 0.0) {
        plan.output_is(plan.input());
        plan.backward([](PlanContext& p) { p.pass_input_gradient(0, p.output_gradient()); });
        return;
    }
    const TensorId x = plan.input(), y = plan.output();
    const uint64_t stream = plan.random_stream();
    const double rate = options_.rate;
    std::vector<TensorId> writes{y};
    TensorId kept;
    if (plan.wants_input_gradient()) writes.push_back(kept = plan.create(plan.shape(x), {}, DType::uint8));
    plan.step(in_place(
        kernel_step(plan, "dropout", dispatch::kernels().dropout,
                    kernels::DropoutArgs{{}, rate, plan.view(x), plan.view(y), nullptr, nullptr, nullptr}, {x}, writes,
                    [=](kernels::DropoutArgs& a, const Frame& f) {
                        a.source = {f.seed, stream, static_cast<uint32_t>(f.iteration)};
                        a.x = f.get(x);
                        a.y = f.get(y);
                        a.kept = kept.valid() ? f.get<uint8_t>(kept) : nullptr;
                    }),
        x, y));
    plan.backward([=](PlanContext& p) {
        if (!p.wants_input_gradient()) return;
        const TensorId dy = p.output_gradient(), dx = p.input_gradient();
        p.step(
            in_place(kernel_step(p, "dropout backward", dispatch::kernels().dropout_backward,
                                 kernels::DropoutGradArgs{{}, rate, p.view(dy), p.view(dx), nullptr, nullptr, nullptr},
                                 {dy, kept}, {dx},
                                 [=](kernels::DropoutGradArgs& a, const Frame& f) {
                                     a.dy = f.get(dy);
                                     a.dx = f.get(dx);
                                     a.kept = f.get<uint8_t>(kept);
                                 }),
                     dy, dx));
    });
}

}  // namespace striate
