#include "layers/winograd_steps.hpp"

#include "layers/steps.hpp"

namespace striate::convolution {
namespace {

Machine machine() {
    return Machine::of(dispatch::kernels().vector_width);
}

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
    plan.step(kernel_step(plan, "transform input", dispatch::kernels().winograd_input, args, {x}, {v},
                          [=](kernels::WinogradMapArgs& a, const Frame& f) {
                              a.x = f.get(x);
                              a.out = f.get(v);
                          }));
}

// What a step that ends in the outputs reads, besides `reads`, and writes.
void complete(Step& step, const PlanContext& plan, std::vector<TensorId> reads, const Ending& end) {
    if (end.bias.valid()) reads.push_back(end.bias);
    if (plan.adds_to_output()) reads.push_back(end.y);
    step.reads = std::move(reads);
    step.writes = {end.y};
    if (end.places.valid()) step.writes.push_back(end.places);
    step.bytes = traffic(plan, step.reads, step.writes);
}

void bind(kernels::WinogradOutputArgs& a, const Frame& f, const Ending& end) {
    a.y = f.get(end.y);
    a.bias = end.bias.valid() ? f.get(end.bias) : nullptr;
    a.places = end.places.valid() ? f.get<uint8_t>(end.places) : nullptr;
}

void emit_streamed(PlanContext& plan, const char* what, double work, const WinogradLowered& l, TensorId x,
                   TensorId kernel, const Ending& end) {
    const TensorId v = plan.create({l.v_floats});
    emit_transform(plan, l.all.input, x, v);
    kernels::WinogradStreamedArgs args = l.streamed;
    args.output.relu = end.relu;
    args.output.accumulate = plan.adds_to_output();
    Step step;
    step.what = what;
    complete(step, plan, {v, kernel}, end);
    step.units = kernels::units(args);
    step.scratch = static_cast<size_t>(l.scratch_floats) * sizeof(float);
    step.flops = work;
    step.run = [=, run = dispatch::kernels().winograd_streamed](const Frame& f, int64_t first, int64_t last,
                                                                std::byte* scratch) {
        kernels::WinogradStreamedArgs a = args;
        a.product.a = f.get(v);
        (a.packs ? a.pack.src : a.weights.src) = f.get(kernel);
        bind(a.output, f, end);
        a.scratch = reinterpret_cast<float*>(scratch);
        run(a, first, last);
    };
    plan.step(std::move(step));
}

void emit_lowered(PlanContext& plan, const char* what, double work, const WinogradLowered& l, TensorId x,
                  TensorId kernel, const Ending& end) {
    const kernels::Table& table = dispatch::kernels();
    if (l.way == WinogradWay::streamed) return emit_streamed(plan, what, work, l, x, kernel, end);
    TensorId taps = kernel;
    if (!l.direct) {
        const TensorId packed = taps = plan.create({l.packed_floats});
        plan.prepare(kernel_step(plan, "pack weights", table.pack_weights, l.pack, {kernel}, {packed},
                                 [=](kernels::PackArgs& a, const Frame& f) {
                                     a.src = f.get(kernel);
                                     a.dst = f.get(packed);
                                 }));
    }
    const TensorId weights = plan.create({l.weight_floats});
    plan.prepare(kernel_step(plan, "transform weights", table.winograd_weights, l.weights, {taps}, {weights},
                             [=](kernels::WinogradWeightsArgs& a, const Frame& f) {
                                 a.src = f.get(taps);
                                 a.dst = f.get(weights);
                             }));
    kernels::WinogradArgs all = l.all;
    all.output.relu = end.relu;
    all.output.accumulate = plan.adds_to_output();
    if (l.way == WinogradWay::blocked) {
        Step step;
        step.what = what;
        complete(step, plan, {x, weights}, end);
        step.units = kernels::units(all);
        step.scratch = static_cast<size_t>(l.scratch_floats) * sizeof(float);
        step.flops = work;
        step.run = [=, kernel = table.winograd](const Frame& f, int64_t first, int64_t last, std::byte* scratch) {
            kernels::WinogradArgs a = all;
            a.input.x = f.get(x);
            a.product.b = f.get(weights);
            bind(a.output, f, end);
            a.scratch = reinterpret_cast<float*>(scratch);
            kernel(a, first, last);
        };
        plan.step(std::move(step));
        return;
    }
    const TensorId v = plan.create({l.v_floats}), m = plan.create({l.m_floats});
    emit_transform(plan, all.input, x, v);
    Step product = kernel_step(plan, what, table.winograd_product, all.product, {v, weights}, {m},
                               [=](kernels::WinogradProductArgs& a, const Frame& f) {
                                   a.a = f.get(v);
                                   a.b = f.get(weights);
                                   a.c = f.get(m);
                               });
    product.flops = work;
    plan.step(std::move(product));
    Step output = kernel_step(plan, "transform output", table.winograd_output, all.output, {}, {},
                              [=](kernels::WinogradOutputArgs& a, const Frame& f) {
                                  a.m = f.get(m);
                                  bind(a, f, end);
                              });
    complete(output, plan, {m}, end);
    plan.step(std::move(output));
}

// Of both maps in one step: they do not wait for each other.
void emit_transforms(PlanContext& plan, const kernels::WinogradMapArgs& input, const kernels::WinogradMapArgs& gradient,
                     TensorId x, TensorId dy, TensorId v, TensorId z) {
    const kernels::Table& table = dispatch::kernels();
    Step step;
    step.what = "transform maps";
    step.reads = {x, dy};
    step.writes = {v, z};
    const int64_t inputs = kernels::units(input);
    step.units = inputs + kernels::units(gradient);
    step.bytes =
        static_cast<double>(input.tiles.count) * (36 + 16) * 4 * static_cast<double>(input.view.c + gradient.view.c);
    step.run = [=, &table](const Frame& f, int64_t begin, int64_t end, std::byte*) {
        kernels::WinogradMapArgs a = input, g = gradient;
        a.x = f.get(x), a.out = f.get(v);
        g.x = f.get(dy), g.out = f.get(z);
        if (begin < inputs) table.winograd_input(a, begin, std::min(end, inputs));
        if (end > inputs) table.winograd_gradient(g, std::max(begin, inputs) - inputs, end - inputs);
    };
    plan.step(std::move(step));
}

void emit_weights_streamed(PlanContext& plan, const WinogradWeightsLowered& l, TensorId x, TensorId dy,
                           TensorId d_kernel, double work) {
    const TensorId v = plan.create({l.v_floats}), z = plan.create({l.z_floats});
    emit_transforms(plan, l.all.input, l.all.gradient, x, dy, v, z);
    Step step;
    step.what = "convolution to weights";
    step.reads = {v, z};
    step.writes = {d_kernel};
    step.units = kernels::units(l.streamed);
    step.scratch = static_cast<size_t>(l.scratch_floats) * sizeof(float);
    step.bytes = traffic(plan, step.reads, step.writes);
    step.flops = work;
    step.run = [=, args = l.streamed, kernel = dispatch::kernels().winograd_weights_streamed](
                   const Frame& f, int64_t begin, int64_t end, std::byte* scratch) {
        kernels::WinogradWeightsStreamedArgs a = args;
        a.product.v = f.get(v);
        a.product.z = f.get(z);
        a.dw = f.get(d_kernel);
        a.scratch = reinterpret_cast<float*>(scratch);
        kernel(a, begin, end);
    };
    plan.step(std::move(step));
}

// Block after block, each dealt out to all threads.
void emit_weight_products(PlanContext& plan, const kernels::WinogradToWeightsArgs& all, TensorId x, TensorId dy,
                          TensorId du, int64_t v_floats, int64_t z_floats, double work) {
    const kernels::Table& table = dispatch::kernels();
    const TensorId v = plan.create({v_floats}), z = plan.create({z_floats});
    for (int64_t first = 0; first < all.tiles; first += all.block) {
        const int64_t count = std::min(all.block, all.tiles - first);
        kernels::WinogradMapArgs input = all.input, gradient = all.gradient;
        for (kernels::WinogradMapArgs* a : {&input, &gradient}) a->tiles.first = first, a->tiles.count = count;
        emit_transforms(plan, input, gradient, x, dy, v, z);
        kernels::WinogradWeightProductArgs product = all.product;
        product.tiles = count;
        product.accumulate = first > 0;
        std::vector<TensorId> reads{v, z};
        if (first > 0) reads.push_back(du);
        Step step = kernel_step(plan, "convolution to weights", table.winograd_weight_product, product, reads, {du},
                                [=](kernels::WinogradWeightProductArgs& a, const Frame& f) {
                                    a.v = f.get(v);
                                    a.z = f.get(z);
                                    a.du = f.get(du);
                                });
        step.flops = work * static_cast<double>(count) / static_cast<double>(all.tiles);
        plan.step(std::move(step));
    }
}

}  // namespace

void emit_winograd(PlanContext& plan, const Problem& p, TensorId x, TensorId kernel, const Ending& end,
                   const Tiled& tiled) {
    const View from = plan.view(x), to = plan.view(end.y);
    emit_lowered(plan, "convolution", flops(p, from.n) * share(to, tiled),
                 winograd_forward(p, from, plan.halo(x), tiled_view(to, tiled), machine(), plan.weights_stay()), x,
                 kernel, end);
}

void emit_winograd_pooled(PlanContext& plan, const char* what, const Problem& p, TensorId x, TensorId kernel,
                          const Ending& end) {
    const View from = plan.view(x), to = plan.view(end.y);
    View windows = to;
    windows.h *= 2, windows.w *= 2;
    WinogradLowered l = winograd_forward(p, from, plan.halo(x), windows, machine(), plan.weights_stay());
    winograd_pools(l, to);
    emit_lowered(plan, what, flops(p, from.n), l, x, kernel, end);
}

void emit_winograd_to_input(PlanContext& plan, const Problem& p, TensorId dy, TensorId kernel, const Ending& end,
                            const Tiled& tiled) {
    const View from = plan.view(dy), to = plan.view(end.y);
    emit_lowered(plan, "convolution to input", flops(p, from.n) * share(to, tiled),
                 winograd_to_input(p, from, plan.halo(dy), tiled_view(to, tiled), machine(), plan.weights_stay()), dy,
                 kernel, end);
}

void emit_winograd_to_weights(PlanContext& plan, const Problem& p, TensorId x, TensorId dy, TensorId d_kernel) {
    const kernels::Table& table = dispatch::kernels();
    const WinogradWeightsLowered l = winograd_to_weights(p, plan.view(x), plan.halo(x), plan.view(dy), machine());
    const double work = flops(p, plan.view(x).n);
    if (l.way == WinogradWay::streamed) return emit_weights_streamed(plan, l, x, dy, d_kernel, work);
    const TensorId du = plan.create({l.du_floats});
    if (l.way == WinogradWay::blocked) {
        Step step;
        step.what = "convolution to weights";
        step.reads = {x, dy};
        step.writes = {du};
        step.units = kernels::units(l.all);
        step.scratch = static_cast<size_t>(l.scratch_floats) * sizeof(float);
        step.bytes = traffic(plan, step.reads, step.writes);
        step.flops = work;
        step.run = [=, kernel = table.winograd_to_weights](const Frame& f, int64_t begin, int64_t end,
                                                           std::byte* scratch) {
            kernels::WinogradToWeightsArgs a = l.all;
            a.input.x = f.get(x);
            a.gradient.x = f.get(dy);
            a.du = f.get(du);
            a.scratch = reinterpret_cast<float*>(scratch);
            kernel(a, begin, end);
        };
        plan.step(std::move(step));
    } else {
        emit_weight_products(plan, l.all, x, dy, du, l.v_floats, l.z_floats, work);
    }
    plan.step(kernel_step(plan, "weight gradient", table.winograd_weight_gradient, l.result, {du}, {d_kernel},
                          [=](kernels::WinogradWeightGradArgs& a, const Frame& f) {
                              a.du = f.get(du);
                              a.dw = f.get(d_kernel);
                          }));
}

}  // namespace striate::convolution
