// What memory a kernel touches behind each pointer of its arguments: a rule on sizes, checked against the tensors when
// a plan is built. Not included by kernel sources.
//
// reach(args, visit) calls visit(field, Reach) for each pointer that must lead somewhere and visit.optional(field,
// Reach) for each that may be null. Pointers to the memory of one thread (`scratch`) are not listed. A row of weights
// may be read up to the next multiple of the vector's width; memory is padded for that, and it does not count here.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/args.hpp"
#include "kernels/detection_layout.hpp"
#include "kernels/layout.hpp"

namespace striate::kernels {

// The elements [begin, end), counted from the pointer.
struct Reach {
    int64_t begin = 0, end = 0;

    // Repeated `count` times, each `stride` elements after the one before.
    Reach times(int64_t count, int64_t stride) const {
        if (count <= 0 || begin >= end) return {};
        const int64_t far = (count - 1) * stride;
        return {begin + std::min<int64_t>(far, 0), end + std::max<int64_t>(far, 0)};
    }
    Reach from(int64_t offset) const { return begin < end ? Reach{begin + offset, end + offset} : Reach{}; }
    Reach with(const Reach& other) const {
        if (begin >= end) return other;
        if (other.begin >= other.end) return *this;
        return {std::min(begin, other.begin), std::max(end, other.end)};
    }
};

inline Reach first(int64_t count) {
    return {0, count};
}
inline Reach all(const View& v) {
    return first(v.c).times(v.w, v.pixel).times(v.h, v.row).times(v.n, v.image);
}

// Channels in panels: channel o is at (o / panel) * step + o % panel.
inline Reach panels(int64_t channels, int64_t panel, int64_t step) {
    const int64_t whole = channels / panel, rest = channels % panel;
    return first(whole > 0 ? panel : 0).times(whole, step).with(first(rest).from(whole * step));
}

// Activations.
template <class V>
void reach(const ActivationArgs& a, V& visit) {
    visit(a.x, all(a.view_x));
    visit(a.y, all(a.view_y));
}
template <class V>
void reach(const ActivationGradArgs& a, V& visit) {
    visit.optional(a.x, all(a.view_x));
    visit.optional(a.y, all(a.view_y));
    visit(a.dy, all(a.view_dy));
    visit(a.dx, all(a.view_dx));
}
inline Reach alpha_of(const View& v, int64_t row, int64_t pixel, int64_t channel) {
    return first(1).times(v.c, channel).times(v.w, pixel).times(v.h, row);
}
template <class V>
void reach(const PReluArgs& a, V& visit) {
    visit(a.x, all(a.view_x));
    visit(a.alpha, alpha_of(a.view_x, a.alpha_row, a.alpha_pixel, a.alpha_channel));
    visit(a.y, all(a.view_y));
}
template <class V>
void reach(const PReluGradArgs& a, V& visit) {
    visit(a.x, all(a.view_x));
    visit(a.alpha, alpha_of(a.view_x, a.alpha_row, a.alpha_pixel, a.alpha_channel));
    visit(a.dy, all(a.view_dy));
    visit.optional(a.dx, all(a.view_dx));
    visit.optional(a.partials, first(a.pieces * a.alpha_size));
}
template <class V>
void reach(const SoftmaxArgs& a, V& visit) {
    visit(a.x, all(a.view_x));
    visit(a.y, all(a.view_y));
}
template <class V>
void reach(const SoftmaxGradArgs& a, V& visit) {
    visit(a.y, all(a.view_y));
    visit(a.dy, all(a.view_dy));
    visit(a.dx, all(a.view_dx));
}

// Element by element and channel by channel.
template <class V>
void reach(const BinaryArgs& a, V& visit) {
    visit(a.a, all(a.view_a));
    visit(a.b, all(a.view_b));
    visit(a.y, all(a.view_y));
}
template <class V>
void reach(const ExtremeGradArgs& a, V& visit) {
    visit(a.x, all(a.view_x));
    visit(a.y, all(a.view_y));
    visit(a.dy, all(a.view_dy));
    visit.optional(a.dx, all(a.view_dx));
    visit.optional(a.rest, all(a.view_rest));
}
template <class V>
void reach(const ReduceBroadcastArgs& a, V& visit) {
    visit(a.dy, all(a.view_dy));
    visit.optional(a.other, all(a.view_other));
    visit(a.out, all(a.view_out));
}
template <class V>
void reach(const ScaleShiftArgs& a, V& visit) {
    visit(a.x, all(a.view_x));
    visit(a.y, all(a.view_y));
}
template <class V>
void reach(const AccumulateArgs& a, V& visit) {
    visit(a.x, all(a.view_x));
    visit(a.y, all(a.view_y));
}
template <class V>
void reach(const CopyArgs& a, V& visit) {
    visit(a.x, all(a.view_x));
    visit(a.y, all(a.view_y));
}
template <class V>
void reach(const TakeArgs& a, V& visit) {
    const int64_t sizes[] = {a.view_y.h, a.view_y.w, a.view_y.c};
    visit(a.indices, first(sizes[a.axis]));
    visit(a.x, all(a.view_x));
    visit(a.y, all(a.view_y));
}
template <class V>
void reach(const TakeGradArgs& a, V& visit) {
    const int64_t sizes[] = {a.view_dx.h, a.view_dx.w, a.view_dx.c}, taken[] = {a.view_dy.h, a.view_dy.w, a.view_dy.c};
    visit(a.begins, first(sizes[a.axis] + 1));
    visit(a.places, first(taken[a.axis]));
    visit(a.dy, all(a.view_dy));
    visit(a.dx, all(a.view_dx));
}
template <class V>
void reach(const MatMulArgs& a, V& visit) {
    visit(a.a, all(a.view_a));
    visit(a.b, all(a.view_b));
    visit(a.y, all(a.view_y));
}
template <class V>
void reach(const FillArgs& a, V& visit) {
    visit(a.y, all(a.view));
}
template <class V>
void reach(const ZeroHaloArgs& a, V& visit) {
    const View& v = a.view;
    const Reach image = first(v.c).times(v.w + a.left + a.right, v.pixel).times(v.h + a.top + a.bottom, v.row);
    visit(a.y, image.from(-a.top * v.row - a.left * v.pixel).times(v.n, v.image));
}
// Of one number for each channel, or for each channel of each image.
inline Reach channels_of(const View& v, int64_t image_stride) {
    return first(v.c).times(v.n, image_stride);
}
template <class V>
void reach(const ChannelAffineArgs& a, V& visit) {
    visit(a.x, all(a.view_x));
    visit(a.y, all(a.view_y));
    visit.optional(a.mean, channels_of(a.view_x, a.image_stride));
    visit(a.scale, channels_of(a.view_x, a.image_stride));
    visit.optional(a.shift, first(a.view_x.c));
}
template <class V>
void reach(const ChannelAffineGradArgs& a, V& visit) {
    visit.optional(a.x, all(a.view_x));
    visit(a.dy, all(a.view_dy));
    visit(a.dx, all(a.view_dx));
    visit.optional(a.mean, channels_of(a.view_dy, a.image_stride));
    visit(a.scale, channels_of(a.view_dy, a.image_stride));
    visit.optional(a.shift, first(a.view_dy.c));
    visit.optional(a.slope, channels_of(a.view_dy, a.image_stride));
    visit.optional(a.offset, channels_of(a.view_dy, a.image_stride));
}
template <class V>
void reach(const MergeSumsArgs& a, V& visit) {
    visit(a.partials, first(a.pieces * a.size));
    visit(a.out, first(a.size));
}
template <class V>
void reach(const ResizeArgs& a, V& visit) {
    visit(a.x, all(a.view_x));
    visit(a.y, all(a.view_y));
}
template <class V>
void reach(const ResizeGradArgs& a, V& visit) {
    visit(a.dy, all(a.view_dy));
    visit(a.dx, all(a.view_dx));
}
template <class V>
void reach(const DropoutArgs& a, V& visit) {
    visit(a.x, all(a.view_x));
    visit(a.y, all(a.view_y));
    visit.optional(a.kept, first(elements(a.view_x)));
}
template <class V>
void reach(const DropoutGradArgs& a, V& visit) {
    visit(a.dy, all(a.view_dy));
    visit(a.dx, all(a.view_dx));
    visit.optional(a.kept, first(elements(a.view_dy)));
}
template <class V>
void reach(const DropoutFactorsArgs& a, V& visit) {
    visit(a.out, first(a.size));
}

// Pooling.
template <class V>
void reach(const MaxPoolArgs& a, V& visit) {
    visit(a.x, all(a.view_x));
    visit(a.y, all(a.view_y));
    visit.optional(a.winners.places, first(elements(a.view_y)));
}
template <class V>
void reach(const MaxPoolGradArgs& a, V& visit) {
    visit(a.dy, all(a.view_dy));
    visit(a.dx, all(a.view_dx));
    visit(a.winners.places, first(elements(a.view_dy)));
}
template <class V>
void reach(const AveragePoolArgs& a, V& visit) {
    visit(a.x, all(a.view_x));
    visit(a.y, all(a.view_y));
}
template <class V>
void reach(const AveragePoolGradArgs& a, V& visit) {
    visit(a.dy, all(a.view_dy));
    visit(a.dx, all(a.view_dx));
}
template <class V>
void reach(const GlobalPoolArgs& a, V& visit) {
    visit(a.x, all(a.view_x));
    visit(a.y, all(a.view_y));
    visit.optional(a.winners, first(a.view_x.n * a.view_x.c));
}
template <class V>
void reach(const GlobalPoolGradArgs& a, V& visit) {
    visit(a.dy, all(a.view_dy));
    visit(a.dx, all(a.view_dx));
    visit.optional(a.winners, first(a.view_dx.n * a.view_dx.c));
}

// Normalisation. Partials hold two doubles for each channel.
template <class V>
void reach(const MomentsArgs& a, V& visit) {
    visit(a.x, all(a.view_x));
    visit(a.partials, first(a.groups * a.pieces * 2 * a.view_x.c));
}
template <class V>
void reach(const MomentsGradArgs& a, V& visit) {
    visit(a.x, all(a.view_x));
    visit(a.dy, all(a.view_dy));
    visit(a.mean, first(a.view_x.c).times(a.groups, a.mean_stride));
    visit.optional(a.scale, first(a.view_x.c).times(a.groups, a.mean_stride));
    visit.optional(a.shift, first(a.view_x.c));
    visit(a.partials, first(a.groups * a.pieces * 2 * a.view_x.c));
}
template <class V>
void reach(const BatchNormMergeArgs& a, V& visit) {
    visit(a.partials, first(a.pieces * 2 * a.c));
    visit.optional(a.counts, first(a.pieces));
    visit.optional(a.gamma, first(a.c));
    visit(a.mean, first(a.c));
    visit(a.inverse_std, first(a.c));
    visit(a.scale, first(a.c));
    visit.optional(a.moving_mean, first(a.c));
    visit.optional(a.moving_variance, first(a.c));
}
template <class V>
void reach(const BatchNormFixedArgs& a, V& visit) {
    visit.optional(a.gamma, first(a.c));
    visit(a.moving_variance, first(a.c));
    visit(a.inverse_std, first(a.c));
    visit(a.scale, first(a.c));
}
template <class V>
void reach(const BatchNormGradMergeArgs& a, V& visit) {
    visit(a.partials, first(a.pieces * 2 * a.c));
    visit(a.inverse_std, first(a.c));
    visit(a.scale, first(a.c));
    visit.optional(a.d_gamma, first(a.c));
    visit.optional(a.d_beta, first(a.c));
    visit.optional(a.slope, first(a.c));
    visit.optional(a.offset, first(a.c));
}
template <class V>
void reach(const AffinePoolArgs& a, V& visit) {
    visit(a.x, all(a.view_x));
    visit(a.y, all(a.view_y));
    visit(a.mean, first(a.view_x.c));
    visit(a.scale, first(a.view_x.c));
    visit.optional(a.shift, first(a.view_x.c));
    visit.optional(a.places, first(elements(a.view_y)));
    visit.optional(a.chosen, first(elements(a.view_y)));
}
template <class V>
void reach(const AffinePoolGradArgs& a, V& visit) {
    visit.optional(a.x, all(a.view_x));
    visit(a.dy, all(a.view_dy));
    visit(a.dx, all(a.view_dx));
    visit(a.places, first(elements(a.view_dy)));
    visit.optional(a.mean, first(a.view_dx.c));
    visit(a.scale, first(a.view_dx.c));
    visit.optional(a.slope, first(a.view_dx.c));
    visit.optional(a.offset, first(a.view_dx.c));
}
template <class V>
void reach(const GroupNormMergeArgs& a, V& visit) {
    visit(a.partials, first(a.n * a.pieces * 2 * a.c));
    visit.optional(a.gamma, first(a.c));
    visit(a.mean, first(a.n * a.c));
    visit(a.inverse_std, first(a.n * a.c));
    visit(a.scale, first(a.n * a.c));
}
template <class V>
void reach(const GroupNormGradMergeArgs& a, V& visit) {
    visit(a.partials, first(a.n * a.pieces * 2 * a.c));
    visit.optional(a.gamma, first(a.c));
    visit(a.inverse_std, first(a.n * a.c));
    visit(a.slope, first(a.n * a.c));
    visit(a.offset, first(a.n * a.c));
}
template <class V>
void reach(const GroupNormParameterGradArgs& a, V& visit) {
    visit(a.partials, first(a.n * a.pieces * 2 * a.c));
    visit(a.inverse_std, first(a.n * a.c));
    visit.optional(a.d_gamma, first(a.c));
    visit.optional(a.d_beta, first(a.c));
}
template <class V>
void reach(const LayerNormArgs& a, V& visit) {
    const int64_t rows = normalised_rows(a.view_x, a.axes), size = normalised_size(a.view_x, a.axes);
    visit(a.x, all(a.view_x));
    visit.optional(a.gamma, first(size));
    visit.optional(a.beta, first(size));
    visit(a.y, all(a.view_y));
    visit.optional(a.mean, first(rows));
    visit.optional(a.inverse_std, first(rows));
}
template <class V>
void reach(const LayerNormGradArgs& a, V& visit) {
    const int64_t rows = normalised_rows(a.view_x, a.axes), size = normalised_size(a.view_x, a.axes);
    visit(a.x, all(a.view_x));
    visit.optional(a.gamma, first(size));
    visit(a.dy, all(a.view_dy));
    visit(a.mean, first(rows));
    visit(a.inverse_std, first(rows));
    visit.optional(a.dx, all(a.view_dx));
    visit.optional(a.partials, first(a.pieces * 2 * size));
}

// Losses.
template <class V>
void reach(const LossRows& b, V& visit) {
    visit(b.prediction, first(b.rows * b.c));
    visit.optional(b.gradient, first(b.rows * b.c));
    visit.optional(b.weights, first(divide_up(b.rows, b.rows_per_weight)));
    visit.optional(b.normaliser, first(1));
    visit(b.sums, first(divide_up(b.rows, loss_rows(b.c))));
}
template <class V>
void reach(const ElementLossArgs& a, V& visit) {
    reach(a.batch, visit);
    visit(a.target, first(a.batch.rows * a.batch.c));
}
template <class V>
void reach(const CategoricalLossArgs& a, V& visit) {
    reach(a.batch, visit);
    visit.optional(a.target, first(a.batch.rows * a.batch.c));
    visit.optional(a.alphas, first(a.batch.c));
    visit.optional(a.labels.data, first(a.batch.rows));
}
template <class V>
void reach(const SparseLossArgs& a, V& visit) {
    reach(a.batch, visit);
    visit(a.labels.data, first(a.batch.rows));
    visit.optional(a.bad, first(divide_up(a.batch.rows, loss_rows(a.batch.c))));
}
template <class V>
void reach(const CountLabelsArgs& a, V& visit) {
    visit(a.labels.data, first(a.rows));
    visit(a.counts, first(divide_up(a.rows, kMergeChunk)));
}
template <class V>
void reach(const LossNormaliserArgs& a, V& visit) {
    visit(a.counts, first(a.size));
    visit(a.out, first(2));
}
template <class V>
void reach(const LossMergeArgs& a, V& visit) {
    visit(a.sums, first(a.size));
    visit.optional(a.normaliser, first(2));
    visit(a.out, first(2));
    visit.optional(a.bad, first(a.size));
    visit.optional(a.first_bad, first(1));
}
template <class V>
void reach_of_overlap(const OverlapArgs& a, V& visit) {
    visit(a.prediction, first(a.n * a.pixels * a.c));
    visit.optional(a.target, first(a.n * a.pixels * a.c));
    visit.optional(a.labels.data, first(a.n * a.pixels));
    visit.optional(a.weights, first(a.n * a.pixels));
}
template <class V>
void reach(const OverlapArgs& a, V& visit) {
    reach_of_overlap(a, visit);
    visit(a.partials, first(a.n * a.pieces * 3 * a.c));
}
template <class V>
void reach(const OverlapGradArgs& a, V& visit) {
    reach_of_overlap(a.batch, visit);
    visit(a.mean, first(a.batch.n * a.batch.c));
    visit(a.scale, first(a.batch.n * a.batch.c));
    visit(a.gradient, first(a.batch.n * a.batch.pixels * a.batch.c));
}
template <class V>
void reach(const OverlapMergeArgs& a, V& visit) {
    visit(a.partials, first(a.n * a.pieces * 3 * a.c));
    visit.optional(a.weights, first(a.n));
    visit(a.out, first(a.each_image ? 2 : 2 + 3 * (a.each_channel ? a.c : 1)));
    visit.optional(a.mean, first(a.n * a.c));
    visit.optional(a.scale, first(a.n * a.c));
}
template <class V>
void reach(const DetectionAssignArgs& a, V& visit) {
    visit(a.targets, first(a.n * a.boxes * 5));
    visit(a.assigned, first(a.n * detection_locations(a.grid)));
    visit(a.counts, first(a.n));
}
template <class V>
void reach(const DetectionLossArgs& a, V& visit) {
    const int64_t locations = detection_locations(a.grid);
    visit(a.prediction, first(a.n * locations * a.c));
    visit(a.targets, first(a.n * a.boxes * 5));
    visit(a.assigned, first(a.n * locations));
    visit(a.counts, first(a.n));
    visit.optional(a.weights, first(a.n));
    visit.optional(a.gradient, first(a.n * locations * a.c));
    visit(a.sums, first(a.n * divide_up(locations, kDetectionPiece)));
}

// Convolution and dense layers.
template <class Args>
Reach taps_of(const Args& a, int64_t depth) {
    return first(depth).times(a.tap_cols, a.tap_col).times(a.tap_rows, a.tap_row);
}
template <class Args>
Reach walk_x(const Args& a, const Reach& pixel) {
    return pixel.times(a.cols, a.x_col).times(a.rows, a.x_row).times(a.images, a.x_image);
}
template <class Args>
Reach walk_y(const Args& a, const Reach& pixel) {
    return pixel.times(a.cols, a.y_col).times(a.rows, a.y_row).times(a.images, a.y_image);
}
inline Reach weights_of(const ConvArgs& a) {
    const int64_t rows = a.tap_rows * a.tap_cols * a.depth;
    return panels(a.channels, a.panel, a.w_panel).times(rows, a.w_step).times(a.groups, a.w_group);
}
template <class V>
void reach(const ConvArgs& a, V& visit) {
    visit(a.x, walk_x(a, taps_of(a, a.depth)).times(a.groups, a.x_group).from(a.x_offset));
    visit(a.weights, weights_of(a));
    visit.optional(a.bias, first(a.groups * a.channels));
    visit(a.y, walk_y(a, first(1).times(a.channels, a.y_channel)).times(a.groups, a.y_group).from(a.y_offset));
}
inline Reach weights_of(const PackArgs& a) {
    return first(1)
        .times(a.channels, a.s_channel)
        .times(a.depth, a.s_depth)
        .times(a.cols, a.s_col)
        .times(a.rows, a.s_row)
        .times(a.groups, a.s_group)
        .from(a.src_offset);
}
template <class V>
void reach(const PackArgs& a, V& visit) {
    visit(a.src, weights_of(a));
    visit(a.dst, first(a.groups * divide_up(a.channels, a.panel) * a.rows * a.cols * a.depth * a.panel));
}
template <class V>
void reach(const ConvWeightArgs& a, V& visit) {
    visit(a.x, walk_x(a, taps_of(a, a.depth)).times(a.groups, a.x_group).from(a.x_offset));
    visit(a.dy, walk_y(a, first(a.channels)).times(a.groups, a.y_group));
    visit(a.slots, first(a.pieces * a.groups * a.tap_rows * a.tap_cols * a.depth * a.w_step));
}
template <class V>
void reach(const MaximaWeightArgs& a, V& visit) {
    const int64_t taps = a.tap_rows * a.tap_cols * a.depth;
    visit(a.x, first(a.depth)
                   .times(a.tap_cols, a.col_dilation * a.x_pixel)
                   .times(a.tap_rows, a.tap_row)
                   .times(2 * a.cols, a.col_stride * a.x_pixel)
                   .times(2 * a.rows, a.x_row)
                   .times(a.images, a.x_image)
                   .from(a.x_offset));
    visit(a.dy, first(a.channels).times(a.cols, a.dy_pixel).times(a.rows, a.dy_row).times(a.images, a.dy_image));
    visit(a.places, first(a.images * a.rows * a.cols * a.channels));
    visit(a.slots, first(a.pieces * taps * a.channels));
    visit.optional(a.bias, first(a.pieces * a.channels));
}
template <class V>
void reach(const SlotSumArgs& a, V& visit) {
    visit(a.slots, first(a.channels).times(a.pieces * a.groups * a.rows, a.step));
    visit(a.out, first(a.groups * a.channels).times(a.rows, a.out_step));
}
template <class V>
void reach(const DepthwiseArgs& a, V& visit) {
    const int64_t wide = a.channels * a.multiplier;
    visit(a.x, walk_x(a, taps_of(a, a.gather ? wide : a.channels)).from(a.x_offset));
    visit(a.weights, first(wide).times(a.tap_cols, a.w_col).times(a.tap_rows, a.w_row).from(a.w_offset));
    visit.optional(a.bias, first(a.gather ? a.channels : wide));
    visit(a.y, walk_y(a, first(a.gather ? a.channels : wide)).from(a.y_offset));
}
template <class V>
void reach(const DepthwiseWeightArgs& a, V& visit) {
    const int64_t wide = a.channels * a.multiplier;
    visit(a.x, walk_x(a, taps_of(a, a.channels)).from(a.x_offset));
    visit(a.dy, walk_y(a, first(wide)));
    visit(a.slots, first(a.pieces * a.tap_rows * a.tap_cols * wide));
}
template <class V>
void reach(const GroupedConvArgs& a, V& visit) {
    visit(a.x, walk_x(a, taps_of(a, a.channels)).from(a.x_offset));
    visit(a.weights, first(divide_up(a.channels, a.panel) * a.tap_rows * a.tap_cols * a.group * a.panel));
    visit.optional(a.bias, first(a.channels));
    visit(a.y, walk_y(a, first(a.channels)).from(a.y_offset));
}
template <class V>
void reach(const GroupedWeightArgs& a, V& visit) {
    visit(a.x, walk_x(a, taps_of(a, a.channels)).from(a.x_offset));
    visit(a.dy, walk_y(a, first(a.channels)));
    visit(a.slots, first(a.pieces * a.tap_rows * a.tap_cols * a.group * a.channels));
}
template <class V>
void reach(const GroupedPackArgs& a, V& visit) {
    visit(a.src,
          first(a.channels).times(a.group, a.s_depth).times(a.cols, a.s_col).times(a.rows, a.s_row).from(a.src_offset));
    visit(a.dst, first(divide_up(a.channels, a.panel) * a.rows * a.cols * a.group * a.panel));
}
template <class V>
void reach(const ChannelSumArgs& a, V& visit) {
    visit(a.x, all(a.view_x));
    visit(a.partials, first(a.pieces * a.view_x.c));
    visit.optional(a.places, first(elements(a.view_x)));
}

template <class V>
void reach(const PooledConvArgs& a, V& visit) {
    const View& y = a.view_y;
    const auto x_of = [](const ConvArgs& s) { return walk_x(s, taps_of(s, s.depth)).from(s.x_offset); };
    const ConvArgs& s = a.sums[0];
    const int64_t last = (y.n - a.images[1]) * a.x_image + (y.h - a.rows[1]) * a.x_row;
    visit(a.x, x_of(s).with(x_of(a.sums[1]).from(last)));
    visit(a.weights, weights_of(s));
    visit.optional(a.bias, first(s.groups * s.channels));
    visit(a.y, all(y));
    visit.optional(a.places, first(elements(y)));
}

template <class V>
void reach(const DetectionMergeArgs& a, V& visit) {
    visit(a.sums, first(a.size));
    visit(a.counts, first(a.n));
    visit(a.out, first(2));
}

}  // namespace striate::kernels
