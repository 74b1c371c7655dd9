#include "cpu/winograd_steps.hpp"

#include "device/device.hpp"
#include "planning/kernel_call.hpp"

namespace striate::convolution {
namespace {

using kernels::K;

// By the definition, so that rates can be compared with those of direct convolution.
double flops(const Problem& p, int64_t batch) {
    return 2 * static_cast<double>(batch * p.out_h * p.out_w) * static_cast<double>(9 * p.in_c * p.out_c);
}

View tiled_view(View view, const Tiled& tiled) {
    view.h = tiled.h, view.w = tiled.w;
    return view;
}

double share(const View& view, const Tiled& tiled) {
    return static_cast<double>(tiled.h * tiled.w) / static_cast<double>(view.h * view.w);
}

void emit_transform(PlanContext& plan, const kernels::WinogradMapArgs& args, TensorId x, TensorId v) {
    plan.step(kernel_step(plan, K::winograd_input, "transform input", args, {reads(args.x, x), writes(args.out, v)}));
}

Binding result(const PlanContext& plan, const kernels::WinogradOutputArgs& args, TensorId y) {
    return plan.adds_to_output() ? updates(args.y, y) : writes(args.y, y);
}

void emit_streamed(PlanContext& plan, const char* what, double work, const WinogradLowered& l, TensorId x,
                   TensorId kernel, const Ending& end) {
    const TensorId v = plan.create({l.v_floats});
    emit_transform(plan, l.all.input, x, v);
    kernels::WinogradStreamedArgs args = l.streamed;
    args.output.relu = is_relu(end.epilogue);
    args.output.accumulate = plan.adds_to_output();
    const auto step = [&](const Binding& weights) {
        plan.step(with_flops(kernel_step(plan, K::winograd_streamed, what, args,
                                         {reads(args.product.a, v), weights, result(plan, args.output, end.y),
                                          reads(args.output.bias, end.bias), writes(args.output.places, end.places),
                                          scratch(args.scratch, l.scratch_floats)}),
                             work));
    };
    step(args.packs ? reads(args.pack.src, kernel) : reads(args.weights.src, kernel));
}

void emit_lowered(PlanContext& plan, const char* what, double work, const WinogradLowered& l, TensorId x,
                  TensorId kernel, const Ending& end) {
    if (l.way == WinogradWay::streamed) return emit_streamed(plan, what, work, l, x, kernel, end);
    TensorId taps = kernel;
    if (!l.direct) {
        const TensorId packed = taps = plan.create({l.packed_floats});
        plan.prepare(kernel_step(plan, K::pack_weights, "pack weights", l.pack,
                                 {reads(l.pack.src, kernel), writes(l.pack.dst, packed)}));
    }
    const TensorId weights = plan.create({l.weight_floats});
    plan.prepare(kernel_step(plan, K::winograd_weights, "transform weights", l.weights,
                             {reads(l.weights.src, taps), writes(l.weights.dst, weights)}));
    kernels::WinogradArgs all = l.all;
    all.output.relu = is_relu(end.epilogue);
    all.output.accumulate = plan.adds_to_output();
    if (l.way == WinogradWay::blocked) {
        plan.step(
            with_flops(kernel_step(plan, K::winograd, what, all,
                                   {reads(all.input.x, x), reads(all.product.b, weights),
                                    result(plan, all.output, end.y), reads(all.output.bias, end.bias),
                                    writes(all.output.places, end.places), scratch(all.scratch, l.scratch_floats)}),
                       work));
        return;
    }
    const TensorId v = plan.create({l.v_floats}), m = plan.create({l.m_floats});
    emit_transform(plan, all.input, x, v);
    const kernels::WinogradProductArgs& product = all.product;
    plan.step(with_flops(kernel_step(plan, K::winograd_product, what, product,
                                     {reads(product.a, v), reads(product.b, weights), writes(product.c, m)}),
                         work));
    const kernels::WinogradOutputArgs& output = all.output;
    plan.step(kernel_step(plan, K::winograd_output, "transform output", output,
                          {reads(output.m, m), result(plan, output, end.y), reads(output.bias, end.bias),
                           writes(output.places, end.places)}));
}

// Of both maps in one step: they do not wait for each other.
void emit_transforms(PlanContext& plan, const kernels::WinogradMapArgs& input, const kernels::WinogradMapArgs& gradient,
                     TensorId x, TensorId dy, TensorId v, TensorId z) {
    const kernels::WinogradTransformsArgs args{input, gradient};
    plan.step(kernel_step(
        plan, K::winograd_transforms, "transform maps", args,
        {reads(args.input.x, x), writes(args.input.out, v), reads(args.gradient.x, dy), writes(args.gradient.out, z)}));
}

void emit_weights_streamed(PlanContext& plan, const WinogradWeightsLowered& l, TensorId x, TensorId dy,
                           TensorId d_kernel, double work) {
    const TensorId v = plan.create({l.v_floats}), z = plan.create({l.z_floats});
    emit_transforms(plan, l.all.input, l.all.gradient, x, dy, v, z);
    const kernels::WinogradWeightsStreamedArgs& args = l.streamed;
    plan.step(with_flops(kernel_step(plan, K::winograd_weights_streamed, "convolution to weights", args,
                                     {reads(args.product.v, v), reads(args.product.z, z), writes(args.dw, d_kernel),
                                      scratch(args.scratch, l.scratch_floats)}),
                         work));
}

// Block after block, each dealt out to all threads.
void emit_weight_products(PlanContext& plan, const kernels::WinogradToWeightsArgs& all, TensorId x, TensorId dy,
                          TensorId du, int64_t v_floats, int64_t z_floats, double work) {
    const TensorId v = plan.create({v_floats}), z = plan.create({z_floats});
    for (int64_t first = 0; first < all.tiles; first += all.block) {
        const int64_t count = std::min(all.block, all.tiles - first);
        kernels::WinogradMapArgs input = all.input, gradient = all.gradient;
        for (kernels::WinogradMapArgs* a : {&input, &gradient}) a->tiles.first = first, a->tiles.count = count;
        emit_transforms(plan, input, gradient, x, dy, v, z);
        kernels::WinogradWeightProductArgs product = all.product;
        product.tiles = count;
        product.accumulate = first > 0;
        plan.step(with_flops(kernel_step(plan, K::winograd_weight_product, "convolution to weights", product,
                                         {reads(product.v, v), reads(product.z, z),
                                          product.accumulate ? updates(product.du, du) : writes(product.du, du)}),
                             work * static_cast<double>(count) / static_cast<double>(all.tiles)));
    }
}

}  // namespace

void emit_winograd(PlanContext& plan, const Problem& p, TensorId x, TensorId kernel, const Ending& end,
                   const Tiled& tiled) {
    const View from = plan.view(x), to = plan.view(end.y);
    emit_lowered(plan, "convolution", flops(p, from.n) * share(to, tiled),
                 winograd_forward(p, from, plan.halo(x), tiled_view(to, tiled), plan.device().rules().machine,
                                  plan.weights_stay()),
                 x, kernel, end);
}

void emit_winograd_pooled(PlanContext& plan, const char* what, const Problem& p, TensorId x, TensorId kernel,
                          const Ending& end) {
    const View from = plan.view(x), to = plan.view(end.y);
    View windows = to;
    windows.h *= 2, windows.w *= 2;
    WinogradLowered l =
        winograd_forward(p, from, plan.halo(x), windows, plan.device().rules().machine, plan.weights_stay());
    winograd_pools(l, to);
    emit_lowered(plan, what, flops(p, from.n), l, x, kernel, end);
}

void emit_winograd_to_input(PlanContext& plan, const Problem& p, TensorId dy, TensorId kernel, const Ending& end,
                            const Tiled& tiled) {
    const View from = plan.view(dy), to = plan.view(end.y);
    emit_lowered(plan, "convolution to input", flops(p, from.n) * share(to, tiled),
                 winograd_to_input(p, from, plan.halo(dy), tiled_view(to, tiled), plan.device().rules().machine,
                                   plan.weights_stay()),
                 dy, kernel, end);
}

void emit_winograd_to_weights(PlanContext& plan, const Problem& p, TensorId x, TensorId dy, TensorId d_kernel) {
    const WinogradWeightsLowered l =
        winograd_to_weights(p, plan.view(x), plan.halo(x), plan.view(dy), plan.device().rules().machine);
    const double work = flops(p, plan.view(x).n);
    if (l.way == WinogradWay::streamed) return emit_weights_streamed(plan, l, x, dy, d_kernel, work);
    const TensorId du = plan.create({l.du_floats});
    if (l.way == WinogradWay::blocked) {
        plan.step(with_flops(kernel_step(plan, K::winograd_to_weights, "convolution to weights", l.all,
                                         {reads(l.all.input.x, x), reads(l.all.gradient.x, dy), writes(l.all.du, du),
                                          scratch(l.all.scratch, l.scratch_floats)}),
                             work));
    } else {
        emit_weight_products(plan, l.all, x, dy, du, l.v_floats, l.z_floats, work);
    }
    plan.step(kernel_step(plan, K::winograd_weight_gradient, "weight gradient", l.result,
                          {reads(l.result.du, du), writes(l.result.dw, d_kernel)}));
}

}  // namespace striate::convolution
