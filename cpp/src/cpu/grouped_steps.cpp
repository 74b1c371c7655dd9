#include "cpu/grouped_steps.hpp"

#include "device/device.hpp"
#include "planning/kernel_call.hpp"

namespace striate::convolution {
namespace {

using kernels::K;

template <class Args>
double grouped_flops(const Args& a) {
    return 2 * static_cast<double>(a.images * a.rows * a.cols) *
           static_cast<double>(a.tap_rows * a.tap_cols * a.group * a.channels);
}

// `l` has the arguments of a call and of `pack`, which prepares its weights.
template <class Pack, class Call>
void emit_grouped_call(PlanContext& plan, const char* what, const kernels::Kernel<Pack>& pack, Call l, TensorId x,
                       TensorId kernel, const Ending& end, RowMap rows = {}) {
    const TensorId packed = plan.create({l.packed_floats});
    plan.prepare(
        kernel_step(plan, pack, "pack weights", l.pack, {reads(l.pack.src, kernel), writes(l.pack.dst, packed)}));
    kernels::GroupedConvArgs& args = l.conv;
    args.epilogue = end.epilogue;
    args.accumulate = plan.adds_to_output();
    plan.step(
        with_rows(with_flops(kernel_step(plan, K::grouped_conv, what, args,
                                         {reads(args.x, x), reads(args.weights, packed), reads(args.bias, end.bias),
                                          args.accumulate ? updates(args.y, end.y) : writes(args.y, end.y)}),
                             grouped_flops(args)),
                  rows));
}

}  // namespace

void emit_grouped(PlanContext& plan, const Problem& p, TensorId x, TensorId kernel, const Ending& end) {
    const GroupedForward call = grouped_forward(p, plan.view(x), plan.view(end.y), plan.device().rules().machine);
    emit_grouped_call(plan, "grouped convolution", K::pack_weights, call, x, kernel, end, row_map(p));
}

void emit_grouped_to_input(PlanContext& plan, const Problem& p, TensorId dy, TensorId kernel, const Ending& end) {
    const Machine& machine = plan.device().rules().machine;
    for (const GroupedToInput& call : grouped_to_input(p, plan.view(dy), plan.view(end.y), machine))
        emit_grouped_call(plan, "grouped convolution to input", K::pack_grouped, call, dy, kernel, end);
}

void emit_grouped_to_weights(PlanContext& plan, const Problem& p, TensorId x, TensorId dy, TensorId d_kernel) {
    const GroupedToWeights l = grouped_to_weights(p, plan.view(x), plan.view(dy), plan.device().rules().machine);
    const TensorId slots = l.direct ? d_kernel : plan.create({l.slot_floats});
    const kernels::GroupedWeightArgs& args = l.weights;
    plan.step(with_flops(kernel_step(plan, K::grouped_weights, "grouped convolution to weights", args,
                                     {reads(args.x, x), reads(args.dy, dy), writes(args.slots, slots)}),
                         grouped_flops(args)));
    if (l.direct) return;
    plan.step(kernel_step(plan, K::sum_slots, "sum of weight gradients", l.sum,
                          {reads(l.sum.slots, slots), writes(l.sum.out, d_kernel)}));
}

}  // namespace striate::convolution
