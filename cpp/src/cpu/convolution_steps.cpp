#include "cpu/convolution_steps.hpp"

#include <algorithm>

#include "cpu/grouped_steps.hpp"
#include "cpu/winograd_steps.hpp"
#include "device/device.hpp"
#include "layers/activation_steps.hpp"
#include "layers/pooling.hpp"
#include "planning/kernel_call.hpp"
#include "striate/error.hpp"
#include "striate/layers/activation.hpp"

namespace striate::convolution {
namespace {

using kernels::K;

constexpr int64_t kLargest = (int64_t{1} << 31) - 1;

double multiply_adds(const kernels::ConvArgs& a) {
    return static_cast<double>(a.images * a.rows * a.cols) *
           static_cast<double>(a.tap_rows * a.tap_cols * a.depth * a.channels * a.groups);
}

// The weights as `conv` wants them.
TensorId emit_packing(PlanContext& plan, const Lowered& l, TensorId w, bool parameters_packed) {
    if (l.direct) return w;
    const TensorId packed = plan.create({l.packed_floats});
    const kernels::PackArgs& args = l.pack;
    Step pack =
        kernel_step(plan, K::pack_weights, "pack weights", args, {reads(args.src, w), writes(args.dst, packed)});
    if (parameters_packed) {
        plan.prepare(std::move(pack));
    } else {
        plan.step(std::move(pack));
    }
    return packed;
}

// One call of `conv`: `x` is walked over, `w` is packed unless the call is direct.
void emit_call(PlanContext& plan, const char* what, Lowered l, TensorId x, TensorId w, const Ending& end,
               bool parameters_packed, RowMap rows = {}) {
    const TensorId bias = end.bias, y = end.y;
    l.conv.epilogue = end.epilogue;
    l.conv.accumulate = plan.adds_to_output();
    const TensorId weights = emit_packing(plan, l, w, parameters_packed);
    const kernels::ConvArgs& args = l.conv;
    plan.step(with_rows(with_flops(kernel_step(plan, K::conv, what, args,
                                               {reads(args.x, x), reads(args.weights, weights), reads(args.bias, bias),
                                                args.accumulate ? updates(args.y, y) : writes(args.y, y)}),
                                   2 * multiply_adds(args)),
                        rows));
}

void emit_depthwise_call(PlanContext& plan, const char* what, const kernels::DepthwiseArgs& args, TensorId x,
                         TensorId kernel, TensorId bias, TensorId y, RowMap rows = {}) {
    const int64_t pixels = args.images * args.rows * args.cols, taps = args.tap_rows * args.tap_cols;
    plan.step(with_rows(
        with_flops(
            kernel_step(plan, K::depthwise, what, args,
                        {reads(args.x, x), reads(args.weights, kernel), reads(args.bias, bias), writes(args.y, y)}),
            2 * static_cast<double>(pixels) * static_cast<double>(taps * args.channels * args.multiplier)),
        rows));
}

// images, h, w: of the map that the direction ends in, or the one that its work follows from.
bool by_winograd(const PlanContext& plan, const Problem& p, int64_t images, int64_t h, int64_t w) {
    return plan.winograd() && plan.device().rules().winograd && winograd_fits(p) && winograd_pays(p, images, h, w);
}
bool by_winograd(const PlanContext& plan, const Problem& p, const View& map) {
    return by_winograd(plan, p, map.n, map.h, map.w);
}

bool by_groups(const PlanContext& plan, const Problem& p) {
    return groups_fit(p, plan.device().rules().machine);
}

// What of a map is not computed by tiles.
std::vector<Part> rest_of(const View& map, const Tiled& tiled) {
    std::vector<Part> parts;
    if (tiled.h < map.h) parts.push_back({tiled.h, 0, map.h - tiled.h, map.w});
    if (tiled.w < map.w) parts.push_back({0, tiled.w, tiled.h, map.w - tiled.w});
    return parts;
}

// Calls emit(sums), where `sums` is `end` with as much of its epilogue as the kernels do, which is relu at least. A
// step of its own does the rest.
template <class Emit>
void with_epilogue(PlanContext& plan, const Ending& end, bool whole, const Emit& emit) {
    Ending sums = end;
    const bool apart = end.epilogue.kind != kernels::ActivationKind::linear && !is_relu(end.epilogue) &&
                       !(whole && plan.device().rules().epilogues);
    if (apart) sums.epilogue = {};
    emit(sums);
    if (apart) emit_activation(plan, {end.epilogue.kind, end.epilogue.alpha}, end.y, end.y);
}

constexpr int64_t kPooledWeights = 256 << 10;  // bytes that may be read anew for so few outputs

// Without Winograd. The outputs are never stored as a whole, but a part after the other in `scratch`.
void emit_pooled_directly(PlanContext& plan, const char* what, const Problem& p, TensorId x, TensorId kernel,
                          const Ending& end) {
    const View to = plan.view(end.y);
    const LoweredPooled l = pooled(p, plan.view(x), to, plan.device().rules().machine, is_relu(end.epilogue));
    const kernels::PooledConvArgs& args = l.args;
    const TensorId weights = emit_packing(plan, l.sums, kernel, true);
    plan.step(with_flops(
        kernel_step(plan, K::pooled_conv, what, args,
                    {reads(args.x, x), reads(args.weights, weights), reads(args.bias, end.bias), writes(args.y, end.y),
                     writes(args.places, end.places), scratch(args.scratch, l.scratch_floats)}),
        2 * static_cast<double>(4 * to.n * to.h * to.w) *
            static_cast<double>(p.kernel.h * p.kernel.w * p.in_c / p.groups * p.out_c)));
}

void emit_sum(PlanContext& plan, const kernels::SlotSumArgs& sum, TensorId slots, TensorId d_kernel) {
    plan.step(kernel_step(plan, K::sum_slots, "sum of weight gradients", sum,
                          {reads(sum.slots, slots), writes(sum.out, d_kernel)}));
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
    if (!a.padding.mode.empty()) {
        require(a.padding == "valid" || a.padding == "same", "[", owner,
                "] padding must be 'valid', 'same' or ((top, bottom), (left, right)), got '", a.padding.mode, "'");
        return;
    }
    const std::vector<int64_t>& m = a.padding.margins;
    require(m.size() == 4, "[", owner, "] padding must be four numbers (top, bottom, left, right), got ", m.size());
    require(std::all_of(m.begin(), m.end(), [](int64_t v) { return v >= 0 && v <= kLargest; }), "[", owner,
            "] padding (top, bottom, left, right) must be from 0 to ", kLargest, ", got ", to_string(m));
}

Problem problem_of(const Arguments& a, const Shape& input, int64_t out_c, int64_t groups, const std::string& owner) {
    Problem p;
    p.in_h = input[0], p.in_w = input[1], p.in_c = input[2];
    p.out_c = out_c;
    p.kernel = a.kernel_size, p.stride = a.strides, p.dilation = a.dilation_rate;
    p.groups = groups;
    const std::vector<int64_t>& m = a.padding.margins;
    const bool margins = !m.empty();
    p.out_h = output_size(p.in_h + (margins ? m[0] + m[1] : 0), p.kernel.h, p.stride.h, p.dilation.h, a.same());
    p.out_w = output_size(p.in_w + (margins ? m[2] + m[3] : 0), p.kernel.w, p.stride.w, p.dilation.w, a.same());
    require(p.out_h > 0 && p.out_w > 0, "[", owner, "] kernel_size (", p.kernel.h, ", ", p.kernel.w, ")",
            p.dilation == Pair(1) ? "" : concat(" with dilation_rate (", p.dilation.h, ", ", p.dilation.w, ")"),
            " is larger than the map ", with_batch(input), "; use a smaller kernel_size or padding='same'");
    p.pad_top = margins ? m[0] : padding_before(p.in_h, p.kernel.h, p.stride.h, p.dilation.h, a.same());
    p.pad_left = margins ? m[2] : padding_before(p.in_w, p.kernel.w, p.stride.w, p.dilation.w, a.same());
    check_halos(p, owner);
    return p;
}

Window window_of(const Arguments& a) {
    return {{(a.kernel_size.h - 1) * a.dilation_rate.h + 1, (a.kernel_size.w - 1) * a.dilation_rate.w + 1}, a.strides};
}

LayerPtr remaining_activation(const std::optional<std::string>& activation, const std::string& owner) {
    return activation == "relu" ? nullptr : activation_layer(activation, owner);
}

kernels::Epilogue epilogue_of(const PlanContext& plan, const std::optional<std::string>& activation) {
    if (activation == "relu") return {kernels::ActivationKind::relu};
    const ActivationFunction* function = plan.output_activation();
    return function ? kernels::Epilogue{function->kind, function->alpha} : kernels::Epilogue{};
}

void emit_forward(PlanContext& plan, const Problem& p, TensorId x, TensorId kernel, const Ending& end) {
    const View view_x = plan.view(x), view_y = plan.view(end.y);
    const bool groups = by_groups(plan, p), tiles = !groups && by_winograd(plan, p, view_y);
    with_epilogue(plan, end, !tiles, [&](const Ending& sums) {
        if (groups) return emit_grouped(plan, p, x, kernel, sums);
        const auto direct = [&](const Part* part) {
            const Lowered call = forward(p, view_x, view_y, plan.device().rules().machine, plan.weights_stay(), part);
            emit_call(plan, "convolution", call, x, kernel, sums, true, part ? RowMap{} : row_map(p));
        };
        if (!tiles) return direct(nullptr);
        const Tiled tiled = winograd_tiled(view_y.h, view_y.w);
        emit_winograd(plan, p, x, kernel, sums, tiled);
        for (const Part& part : rest_of(view_y, tiled)) direct(&part);
    });
}

void emit_pooled(PlanContext& plan, const Problem& p, TensorId x, TensorId kernel, const Ending& end) {
    const char* what = is_relu(end.epilogue) ? "convolution, max pool, relu" : "convolution, max pool";
    const int64_t images = plan.view(x).n, weights = element_count(plan.shape(kernel));
    if (by_winograd(plan, p, images, p.out_h, p.out_w)) return emit_winograd_pooled(plan, what, p, x, kernel, end);
    if (plan.device().rules().pooled_at_once && weights * 4 <= kPooledWeights && !by_groups(plan, p))
        return emit_pooled_directly(plan, what, p, x, kernel, end);
    const TensorId map = plan.create({images, p.out_h, p.out_w, p.out_c});
    emit_forward(plan, p, x, kernel, {end.bias, map});
    pooling::emit_max(plan, pooling::kHalves, map, end.y, end.places, is_relu(end.epilogue));
}

void emit_depthwise(PlanContext& plan, const Problem& p, TensorId x, TensorId kernel, const Ending& end) {
    with_epilogue(plan, end, true, [&](const Ending& sums) {
        kernels::DepthwiseArgs args = depthwise_forward(p, plan.view(x), plan.view(sums.y));
        args.epilogue = sums.epilogue;
        emit_depthwise_call(plan, "depthwise convolution", args, x, kernel, sums.bias, sums.y, row_map(p));
    });
}

void emit_to_input(PlanContext& plan, const Problem& p, TensorId dy, TensorId kernel, const Ending& end) {
    const View view_dy = plan.view(dy), view_dx = plan.view(end.y);
    const bool groups = by_groups(plan, p), tiles = !groups && by_winograd(plan, p, view_dx);
    with_epilogue(plan, end, !tiles, [&](const Ending& sums) {
        if (groups) return emit_grouped_to_input(plan, p, dy, kernel, sums);
        const Machine& machine = plan.device().rules().machine;
        const auto direct = [&](const Part* part) {
            for (const Lowered& call : to_input(p, view_dy, view_dx, machine, part))
                emit_call(plan, "convolution to input", call, dy, kernel, sums, true);
        };
        if (tiles) {
            const Tiled tiled = winograd_tiled(view_dx.h, view_dx.w);
            emit_winograd_to_input(plan, p, dy, kernel, sums, tiled);
            for (const Part& part : rest_of(view_dx, tiled)) direct(&part);
            return;
        }
        const bool plain = !sums.bias.valid() && sums.epilogue.kind == kernels::ActivationKind::linear;
        if (!plain || !prefers_turned(p, view_dy, view_dx)) return direct(nullptr);
        emit_call(plan, "convolution to input", to_input_turned(p, view_dy, view_dx, machine), kernel, dy, sums, false);
    });
}

void emit_depthwise_to_input(PlanContext& plan, const Problem& p, TensorId dy, TensorId kernel, TensorId dx) {
    for (const kernels::DepthwiseArgs& call : depthwise_to_input(p, plan.view(dy), plan.view(dx)))
        emit_depthwise_call(plan, "depthwise convolution to input", call, dy, kernel, {}, dx);
}

void emit_to_weights(PlanContext& plan, const Problem& p, TensorId x, TensorId dy, TensorId d_kernel) {
    if (by_winograd(plan, p, plan.view(dy))) return emit_winograd_to_weights(plan, p, x, dy, d_kernel);
    if (by_groups(plan, p)) return emit_grouped_to_weights(plan, p, x, dy, d_kernel);
    const LoweredWeights l = to_weights(p, plan.view(x), plan.view(dy), plan.device().rules().machine);
    const TensorId slots = l.direct ? d_kernel : plan.create({l.slot_floats});
    const kernels::ConvWeightArgs& args = l.weights;
    plan.step(with_flops(kernel_step(plan, K::conv_weights, "convolution to weights", args,
                                     {reads(args.x, x), reads(args.dy, dy), writes(args.slots, slots),
                                      scratch(args.scratch, l.scratch_floats)}),
                         2 * static_cast<double>(args.images * args.rows * args.cols) *
                             static_cast<double>(p.kernel.h * p.kernel.w * p.in_c / p.groups * p.out_c)));
    if (!l.direct) emit_sum(plan, l.sum, slots, d_kernel);
}

void emit_maxima_to_weights(PlanContext& plan, const Problem& p, TensorId x, TensorId d_maxima, TensorId places,
                            TensorId d_kernel, TensorId d_bias) {
    const View dy = plan.view(d_maxima);
    const LoweredMaximaWeights l = maxima_to_weights(p, plan.view(x), dy);
    const TensorId slots = plan.create({l.slot_floats});
    const TensorId bias_slots = d_bias.valid() ? plan.create({l.bias_floats}) : TensorId();
    const kernels::MaximaWeightArgs& args = l.weights;
    plan.step(with_flops(
        kernel_step(plan, K::maxima_weights, "convolution to weights of maxima", args,
                    {reads(args.x, x), reads(args.dy, d_maxima), reads(args.places, places), writes(args.slots, slots),
                     writes(args.bias, bias_slots), scratch(args.scratch, l.scratch_floats)}),
        2 * static_cast<double>(dy.n * dy.h * dy.w) * static_cast<double>(element_count(plan.shape(d_kernel)))));
    emit_sum(plan, l.sum, slots, d_kernel);
    if (d_bias.valid()) emit_sum(plan, l.bias, bias_slots, d_bias);
}

void emit_depthwise_to_weights(PlanContext& plan, const Problem& p, TensorId x, TensorId dy, TensorId d_kernel) {
    const LoweredDepthwiseWeights l = depthwise_to_weights(p, plan.view(x), plan.view(dy));
    const TensorId slots = plan.create({l.slot_floats});
    const kernels::DepthwiseWeightArgs& args = l.weights;
    plan.step(kernel_step(plan, K::depthwise_weights, "depthwise convolution to weights", args,
                          {reads(args.x, x), reads(args.dy, dy), writes(args.slots, slots)}));
    emit_sum(plan, l.sum, slots, d_kernel);
}

void emit_to_bias(PlanContext& plan, TensorId dy, TensorId d_bias, TensorId places) {
    const View view = plan.view(dy);
    const int64_t pieces = kernels::sum_pieces(kernels::rows(view), kernels::elements(view));
    const TensorId partials = plan.create({pieces * view.c}, {}, DType::float64);
    const kernels::ChannelSumArgs sums{view, nullptr, nullptr, pieces, nullptr, kernels::kNoPlace};
    plan.step(kernel_step(plan, K::channel_sums, "channel sums", sums,
                          {reads(sums.x, dy), writes(sums.partials, partials), reads(sums.places, places)}));
    const kernels::MergeSumsArgs merge{pieces, view.c, nullptr, nullptr, 1.0};
    plan.step(kernel_step(plan, K::merge_sums, "merge sums", merge,
                          {reads(merge.partials, partials), writes(merge.out, d_bias)}));
}

TensorId gradient_before_relu(BackwardContext& plan, TensorId y, bool relu) {
    const TensorId dy = plan.output_gradient();
    if (!relu) return dy;
    const TensorId g = plan.create(plan.shape(dy), plan.halo(dy));
    kernels::ActivationGradArgs args{};
    args.kind = kernels::ActivationKind::relu;
    args.view_y = plan.view(y), args.view_dy = plan.view(dy), args.view_dx = plan.view(g);
    plan.step(in_place(kernel_step(plan, K::activation_backward, "activation backward", args,
                                   {reads(args.x, {}), reads(args.y, y), reads(args.dy, dy), writes(args.dx, g)}),
                       dy, g));
    return g;
}

}  // namespace striate::convolution
