#include "striate/layers/average.hpp"

#include <limits>

#include "layers/merging.hpp"
#include "planning/kernel_call.hpp"

namespace striate {

Shape Average::infer(const std::vector<Shape>& inputs) const {
    return merging::infer(inputs, std::numeric_limits<size_t>::max(), label());
}

void Average::emit(PlanContext& plan) const {
    using kernels::BinaryKind;
    const float share = 1.0f / static_cast<float>(plan.input_count());
    merging::emit_all(plan, "average", BinaryKind::add, BinaryKind::add_scaled, share);
    plan.backward([share](BackwardContext& p) {
        const TensorId dy = p.output_gradient(), each = p.create(p.shape(dy));
        const kernels::ScaleShiftArgs args{p.view(dy), p.view(each), nullptr, nullptr, share, 0.0f};
        p.step(kernel_step(p, kernels::K::scale_shift, "share of the gradient", args,
                           {reads(args.x, dy), writes(args.y, each)}));
        for (size_t i = 0; i < p.input_count(); ++i) merging::emit_pass(p, i, each, p.input(i), 1.0f);
    });
}

}  // namespace striate
