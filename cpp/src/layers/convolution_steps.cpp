#include "layers/convolution_steps.hpp"

#include <algorithm>

#include "layers/pooling.hpp"
#include "layers/steps.hpp"
#include "layers/winograd_steps.hpp"
#include "striate/error.hpp"
#include "striate/layers/activation.hpp"

namespace striate::convolution {
namespace {

constexpr int64_t kLargest = (int64_t{1} << 31) - 1;

Machine machine() {
    return Machine::of(dispatch::kernels().vector_width);
}

double multiply_adds(const kernels::ConvArgs& a) {
    return static_cast<double>(a.images * a.rows * a.cols) *
           static_cast<double>(a.tap_rows * a.tap_cols * a.depth * a.channels * a.groups);
}

float* pointer(const Frame& frame, TensorId id) {
    return id.valid() ? frame.get(id) : nullptr;
}

// The weights as `conv` wants them.
TensorId emit_packing(PlanContext& plan, const Lowered& l, TensorId w, bool parameters_packed) {
    if (l.direct) return w;
    const TensorId packed = plan.create({l.packed_floats});
    Step pack = kernel_step(plan, "pack weights", dispatch::kernels().pack_weights, l.pack, {w}, {packed},
                            [=](kernels::PackArgs& a, const Frame& f) {
                                a.src = f.get(w);
                                a.dst = f.get(packed);
                            });
    if (parameters_packed) {
        plan.prepare(std::move(pack));
    } else {
        plan.step(std::move(pack));
    }
    return packed;
}

// One call of `conv`: `x` is walked over, `w` is packed unless the call is direct.
void emit_call(PlanContext& plan, const char* what, Lowered l, TensorId x, TensorId w, TensorId bias, TensorId y,
               bool relu, bool parameters_packed) {
    l.conv.relu = relu;
    l.conv.accumulate = plan.adds_to_output();
    const TensorId weights = emit_packing(plan, l, w, parameters_packed);
    std::vector<TensorId> reads{x, weights};
    if (bias.valid()) reads.push_back(bias);
    if (l.conv.accumulate) reads.push_back(y);
    Step step = kernel_step(plan, what, dispatch::kernels().conv, l.conv, reads, {y},
                            [=](kernels::ConvArgs& a, const Frame& f) {
                                a.x = f.get(x);
                                a.weights = f.get(weights);
                                a.bias = pointer(f, bias);
                                a.y = f.get(y);
                            });
    step.flops = 2 * multiply_adds(l.conv);
    plan.step(std::move(step));
}

void emit_depthwise_call(PlanContext& plan, const char* what, const kernels::DepthwiseArgs& args, TensorId x,
                         TensorId kernel, TensorId bias, TensorId y) {
    std::vector<TensorId> reads{x, kernel};
    if (bias.valid()) reads.push_back(bias);
    Step step = kernel_step(plan, what, dispatch::kernels().depthwise, args, reads, {y},
                            [=](kernels::DepthwiseArgs& a, const Frame& f) {
                                a.x = f.get(x);
                                a.weights = f.get(kernel);
                                a.bias = pointer(f, bias);
                                a.y = f.get(y);
                            });
    const int64_t pixels = args.images * args.rows * args.cols, taps = args.tap_rows * args.tap_cols;
    step.flops = 2 * static_cast<double>(pixels) * static_cast<double>(taps * args.channels * args.multiplier);
    plan.step(std::move(step));
}

// images, h, w: of the map that the direction ends in, or the one that its work follows from.
bool by_winograd(const PlanContext& plan, const Problem& p, int64_t images, int64_t h, int64_t w) {
    return plan.winograd() && winograd_fits(p) && winograd_pays(p, images, h, w);
}
bool by_winograd(const PlanContext& plan, const Problem& p, const View& map) {
    return by_winograd(plan, p, map.n, map.h, map.w);
}

// What of a map is not computed by tiles.
std::vector<Part> rest_of(const View& map, const Tiled& tiled) {
    std::vector<Part> parts;
    if (tiled.h < map.h) parts.push_back({tiled.h, 0, map.h - tiled.h, map.w});
    if (tiled.w < map.w) parts.push_back({0, tiled.w, tiled.h, map.w - tiled.w});
    return parts;
}

constexpr int64_t kPooledBytes = 64 << 10;     // of outputs that wait in the nearest caches for their maxima
constexpr int64_t kPooledWeights = 256 << 10;  // bytes that may be read anew for so few outputs

// Some rows of windows of some images: their outputs, and then the maxima of those.
struct PooledPart {
    Lowered sums;
    kernels::MaxPoolArgs maxima;
};
PooledPart pooled_part(const Problem& p, View x, View y, int64_t images, int64_t rows) {
    x.n = y.n = images, y.h = rows;
    const int64_t w = 2 * y.w, h = 2 * rows;
    const View between{images, h, w, y.c, h * w * y.c, w * y.c, y.c};
    const Part outputs{0, 0, h, w};
    return {forward(p, x, between, machine(), true, &outputs), {pooling::kHalves, between, y, {}, {}, {}, false}};
}

// Without Winograd. The outputs are never stored as a whole, but a part after the other in `scratch`.
void emit_pooled_directly(PlanContext& plan, const char* what, const Problem& p, TensorId x, TensorId kernel,
                          const Ending& end) {
    const View from = plan.view(x), to = plan.view(end.y);
    const int64_t row_floats = 4 * to.w * to.c, fit = std::max<int64_t>(1, kPooledBytes / 4 / row_floats);
    const int64_t down = kernels::divide_up(to.h, fit);                                 // parts of an image
    const int64_t groups = kernels::divide_up(to.n, std::max<int64_t>(1, fit / to.h));  // of whole images
    const int64_t images = kernels::divide_up(to.n, groups), rows = kernels::divide_up(to.h, down);
    PooledPart longer = pooled_part(p, from, to, images, rows);
    PooledPart shorter = pooled_part(p, from, to, to.n / groups, to.h / down);
    for (PooledPart* part : {&longer, &shorter}) part->maxima.relu = end.relu;
    const TensorId weights = emit_packing(plan, longer.sums, kernel, true);

    Step step;
    step.what = what;
    step.reads = {x, weights};
    if (end.bias.valid()) step.reads.push_back(end.bias);
    step.writes = {end.y};
    if (end.places.valid()) step.writes.push_back(end.places);
    step.units = groups * down;
    step.scratch = static_cast<size_t>(images * rows * row_floats) * sizeof(float);
    step.bytes = traffic(plan, step.reads, step.writes);
    step.flops = 2 * static_cast<double>(4 * to.n * to.h * to.w) *
                 static_cast<double>(p.kernel.h * p.kernel.w * p.in_c / p.groups * p.out_c);
    step.run = [=, &table = dispatch::kernels()](const Frame& f, int64_t begin, int64_t last, std::byte* scratch) {
        for (int64_t unit = begin; unit < last; ++unit) {
            const int64_t image = kernels::piece_begin(to.n, groups, unit / down),
                          row = kernels::piece_begin(to.h, down, unit % down);
            const bool whole = unit / down < to.n % groups || unit % down < to.h % down;
            const PooledPart& part = whole ? longer : shorter;
            kernels::ConvArgs sums = part.sums.conv;
            sums.x = f.get(x) + image * from.image + 2 * row * p.stride.h * from.row;
            sums.weights = f.get(weights);
            sums.bias = pointer(f, end.bias);
            sums.y = reinterpret_cast<float*>(scratch);
            table.conv(sums, 0, kernels::units(sums));
            kernels::MaxPoolArgs maxima = part.maxima;
            maxima.x = sums.y;
            maxima.y = f.get(end.y) + image * to.image + row * to.row;
            if (end.places.valid())
                maxima.winners.places = f.get<uint8_t>(end.places) + (image * to.h + row) * to.w * to.c;
            table.max_pool(maxima, 0, kernels::units(maxima));
        }
    };
    plan.step(std::move(step));
}

void emit_sum(PlanContext& plan, const kernels::SlotSumArgs& sum, TensorId slots, TensorId d_kernel) {
    plan.step(kernel_step(plan, "sum of weight gradients", dispatch::kernels().sum_slots, sum, {slots}, {d_kernel},
                          [=](kernels::SlotSumArgs& a, const Frame& f) {
                              a.slots = f.get(slots);
                              a.out = f.get(d_kernel);
                          }));
}

}  // namespace

void check_positive(int64_t value, const char* what, const std::string& owner) {
    require(value > 0 && value <= kLargest, "[", owner, "] ", what, " must be from 1 to ", kLargest, ", got ", value);
}

void check(const Arguments& a, const std::string& owner) {
    const auto pair = [&](const Pair& p, const char* what) {
        require(p.h > 0 && p.w > 0 && p.h <= kLargest && p.w <= kLargest, "[", owner, "] ", what, " must be from 1 to ",
                kLargest, ", got (", p.h, ", ", p.w, ")");
    };
    pair(a.kernel_size, "kernel_size");
    pair(a.strides, "strides");
    pair(a.dilation_rate, "dilation_rate");
    require(a.padding == "valid" || a.padding == "same", "[", owner, "] padding must be 'valid' or 'same', got '",
            a.padding, "'");
}

Problem problem_of(const Arguments& a, const Shape& input, int64_t out_c, int64_t groups, const std::string& owner) {
    Problem p;
    p.in_h = input[0], p.in_w = input[1], p.in_c = input[2];
    p.out_c = out_c;
    p.kernel = a.kernel_size, p.stride = a.strides, p.dilation = a.dilation_rate;
    p.groups = groups;
    p.out_h = output_size(p.in_h, p.kernel.h, p.stride.h, p.dilation.h, a.same());
    p.out_w = output_size(p.in_w, p.kernel.w, p.stride.w, p.dilation.w, a.same());
    require(p.out_h > 0 && p.out_w > 0, "[", owner, "] kernel_size (", p.kernel.h, ", ", p.kernel.w, ")",
            p.dilation == Pair(1) ? "" : concat(" with dilation_rate (", p.dilation.h, ", ", p.dilation.w, ")"),
            " is larger than the map ", with_batch(input), "; use a smaller kernel_size or padding='same'");
    p.pad_top = padding_before(p.in_h, p.kernel.h, p.stride.h, p.dilation.h, a.same());
    p.pad_left = padding_before(p.in_w, p.kernel.w, p.stride.w, p.dilation.w, a.same());
    check_halos(p, owner);
    return p;
}

Window window_of(const Arguments& a) {
    return {{(a.kernel_size.h - 1) * a.dilation_rate.h + 1, (a.kernel_size.w - 1) * a.dilation_rate.w + 1}, a.strides};
}

bool fuses_relu(const std::optional<std::string>& activation) {
    return activation && *activation == "relu";
}

LayerPtr remaining_activation(const std::optional<std::string>& activation, const std::string& owner) {
    return fuses_relu(activation) ? nullptr : activation_layer(activation, owner);
}

void emit_forward(PlanContext& plan, const Problem& p, TensorId x, TensorId kernel, TensorId bias, TensorId y,
                  bool relu) {
    const View view_x = plan.view(x), view_y = plan.view(y);
    const auto direct = [&](const Part* part) {
        const Lowered call = forward(p, view_x, view_y, machine(), plan.weights_stay(), part);
        emit_call(plan, "convolution", call, x, kernel, bias, y, relu, true);
    };
    if (!by_winograd(plan, p, view_y)) return direct(nullptr);
    const Tiled tiled = winograd_tiled(view_y.h, view_y.w);
    emit_winograd(plan, p, x, kernel, {bias, y, relu}, tiled);
    for (const Part& part : rest_of(view_y, tiled)) direct(&part);
}

void emit_pooled(PlanContext& plan, const Problem& p, TensorId x, TensorId kernel, const Ending& end) {
    const char* what = end.relu ? "convolution, max pool, relu" : "convolution, max pool";
    const int64_t images = plan.view(x).n, weights = element_count(plan.shape(kernel));
    if (by_winograd(plan, p, images, p.out_h, p.out_w)) return emit_winograd_pooled(plan, what, p, x, kernel, end);
    if (weights * 4 <= kPooledWeights) return emit_pooled_directly(plan, what, p, x, kernel, end);
    const TensorId map = plan.create({images, p.out_h, p.out_w, p.out_c});
    emit_forward(plan, p, x, kernel, end.bias, map, false);
    pooling::emit_max(plan, pooling::kHalves, map, end.y, end.places, end.relu);
}

void emit_depthwise(PlanContext& plan, const Problem& p, TensorId x, TensorId kernel, TensorId bias, TensorId y,
                    bool relu) {
    kernels::DepthwiseArgs args = depthwise_forward(p, plan.view(x), plan.view(y));
    args.relu = relu;
    emit_depthwise_call(plan, "depthwise convolution", args, x, kernel, bias, y);
}

void emit_to_input(PlanContext& plan, const Problem& p, TensorId dy, TensorId kernel, TensorId bias, TensorId dx,
                   bool relu) {
    const View view_dy = plan.view(dy), view_dx = plan.view(dx);
    const auto direct = [&](const Part* part) {
        for (const Lowered& call : to_input(p, view_dy, view_dx, machine(), part))
            emit_call(plan, "convolution to input", call, dy, kernel, bias, dx, relu, true);
    };
    if (by_winograd(plan, p, view_dx)) {
        const Tiled tiled = winograd_tiled(view_dx.h, view_dx.w);
        emit_winograd_to_input(plan, p, dy, kernel, {bias, dx, relu}, tiled);
        for (const Part& part : rest_of(view_dx, tiled)) direct(&part);
        return;
    }
    if (prefers_turned(p, view_dy, view_dx) && !bias.valid() && !relu) {
        emit_call(plan, "convolution to input", to_input_turned(p, view_dy, view_dx, machine()), kernel, dy, {}, dx,
                  false, false);
        return;
    }
    direct(nullptr);
}

void emit_depthwise_to_input(PlanContext& plan, const Problem& p, TensorId dy, TensorId kernel, TensorId dx) {
    for (const kernels::DepthwiseArgs& call : depthwise_to_input(p, plan.view(dy), plan.view(dx)))
        emit_depthwise_call(plan, "depthwise convolution to input", call, dy, kernel, {}, dx);
}

void emit_to_weights(PlanContext& plan, const Problem& p, TensorId x, TensorId dy, TensorId d_kernel) {
    if (by_winograd(plan, p, plan.view(dy))) return emit_winograd_to_weights(plan, p, x, dy, d_kernel);
    const LoweredWeights l = to_weights(p, plan.view(x), plan.view(dy), machine());
    const TensorId slots = l.direct ? d_kernel : plan.create({l.slot_floats});
    Step step;
    step.what = "convolution to weights";
    step.reads = {x, dy};
    step.writes = {slots};
    step.units = kernels::units(l.weights);
    step.scratch = static_cast<size_t>(l.scratch_floats) * sizeof(float);
    step.bytes = traffic(plan, step.reads, step.writes);
    step.flops = 2 * static_cast<double>(l.weights.images * l.weights.rows * l.weights.cols) *
                 static_cast<double>(p.kernel.h * p.kernel.w * p.in_c / p.groups * p.out_c);
    step.run = [=, kernel = dispatch::kernels().conv_weights](const Frame& f, int64_t begin, int64_t end,
                                                              std::byte* scratch) {
        kernels::ConvWeightArgs a = l.weights;
        a.x = f.get(x);
        a.dy = f.get(dy);
        a.slots = f.get(slots);
        a.scratch = reinterpret_cast<float*>(scratch);
        kernel(a, begin, end);
    };
    plan.step(std::move(step));
    if (!l.direct) emit_sum(plan, l.sum, slots, d_kernel);
}

void emit_maxima_to_weights(PlanContext& plan, const Problem& p, TensorId x, TensorId d_maxima, TensorId places,
                            TensorId d_kernel, TensorId d_bias) {
    const View dy = plan.view(d_maxima);
    const LoweredMaximaWeights l = maxima_to_weights(p, plan.view(x), dy);
    const TensorId slots = plan.create({l.slot_floats});
    const TensorId bias_slots = d_bias.valid() ? plan.create({l.bias_floats}) : TensorId();
    Step step;
    step.what = "convolution to weights of maxima";
    step.reads = {x, d_maxima, places};
    step.writes = {slots};
    if (d_bias.valid()) step.writes.push_back(bias_slots);
    step.units = kernels::units(l.weights);
    step.scratch = static_cast<size_t>(l.scratch_floats) * sizeof(float);
    step.bytes = traffic(plan, step.reads, step.writes);
    step.flops = 2 * static_cast<double>(dy.n * dy.h * dy.w) * static_cast<double>(element_count(plan.shape(d_kernel)));
    step.run = [=, kernel = dispatch::kernels().maxima_weights](const Frame& f, int64_t begin, int64_t end,
                                                                std::byte* scratch) {
        kernels::MaximaWeightArgs a = l.weights;
        a.x = f.get(x);
        a.dy = f.get(d_maxima);
        a.places = f.get<uint8_t>(places);
        a.slots = f.get(slots);
        a.bias = pointer(f, bias_slots);
        a.scratch = reinterpret_cast<float*>(scratch);
        kernel(a, begin, end);
    };
    plan.step(std::move(step));
    emit_sum(plan, l.sum, slots, d_kernel);
    if (d_bias.valid()) emit_sum(plan, l.bias, bias_slots, d_bias);
}

void emit_depthwise_to_weights(PlanContext& plan, const Problem& p, TensorId x, TensorId dy, TensorId d_kernel) {
    const LoweredDepthwiseWeights l = depthwise_to_weights(p, plan.view(x), plan.view(dy));
    const TensorId slots = plan.create({l.slot_floats});
    plan.step(kernel_step(plan, "depthwise convolution to weights", dispatch::kernels().depthwise_weights, l.weights,
                          {x, dy}, {slots}, [=](kernels::DepthwiseWeightArgs& a, const Frame& f) {
                              a.x = f.get(x);
                              a.dy = f.get(dy);
                              a.slots = f.get(slots);
                          }));
    emit_sum(plan, l.sum, slots, d_kernel);
}

void emit_to_bias(PlanContext& plan, TensorId dy, TensorId d_bias, TensorId places) {
    const View view = plan.view(dy);
    const int64_t pieces = kernels::sum_pieces(kernels::rows(view), kernels::elements(view));
    const TensorId partials = plan.create({2 * pieces * view.c});  // doubles
    std::vector<TensorId> reads{dy};
    if (places.valid()) reads.push_back(places);
    plan.step(kernel_step(plan, "channel sums", dispatch::kernels().channel_sums,
                          kernels::ChannelSumArgs{view, nullptr, nullptr, pieces, nullptr, kernels::kNoPlace}, reads,
                          {partials}, [=](kernels::ChannelSumArgs& a, const Frame& f) {
                              a.x = f.get(dy);
                              a.partials = f.get<double>(partials);
                              a.places = places.valid() ? f.get<uint8_t>(places) : nullptr;
                          }));
    plan.step(kernel_step(plan, "merge sums", dispatch::kernels().merge_sums,
                          kernels::MergeSumsArgs{pieces, view.c, nullptr, nullptr, 1.0}, {partials}, {d_bias},
                          [=](kernels::MergeSumsArgs& a, const Frame& f) {
                              a.partials = f.get<double>(partials);
                              a.out = f.get(d_bias);
                          }));
}

TensorId gradient_before_relu(PlanContext& plan, TensorId y, bool relu) {
    const TensorId dy = plan.output_gradient();
    if (!relu) return dy;
    const TensorId g = plan.create(plan.shape(dy), plan.halo(dy));
    kernels::ActivationGradArgs args{};
    args.kind = kernels::ActivationKind::relu;
    args.view_y = plan.view(y), args.view_dy = plan.view(dy), args.view_dx = plan.view(g);
    plan.step(
        in_place(kernel_step(plan, "activation backward", dispatch::kernels().activation_backward, args, {dy, y}, {g},
                             [=](kernels::ActivationGradArgs& a, const Frame& f) {
                                 a.y = f.get(y);
                                 a.dy = f.get(dy);
                                 a.dx = f.get(g);
                             }),
                 dy, g));
    return g;
}

}  // namespace striate::convolution
