// How many units of work a kernel has: a rule on shapes, never on threads. Not included by kernel sources.
#pragma once

#include "kernels/args.hpp"
#include "kernels/detection_layout.hpp"
#include "kernels/layout.hpp"

namespace striate::kernels {

inline int64_t units(const ActivationArgs& a) {
    return run_units(a.view_x, flat(a.view_x) && flat(a.view_y));
}
inline int64_t units(const ActivationGradArgs& a) {
    const bool from_x = a.kind == ActivationKind::silu || a.kind == ActivationKind::gelu ||
                        a.kind == ActivationKind::gelu_tanh || a.kind == ActivationKind::hard_swish ||
                        a.kind == ActivationKind::rectifier || a.kind == ActivationKind::log ||
                        a.kind == ActivationKind::abs || a.kind == ActivationKind::erf;
    const View& source = from_x ? a.view_x : a.kind == ActivationKind::linear ? a.view_dy : a.view_y;
    return run_units(a.view_dy, flat(a.view_dy) && flat(a.view_dx) && flat(source));
}
inline int64_t units(const WarpArgs& a) {
    return a.map.h;
}
inline int64_t units(const WarpGradArgs&) {
    return 1;
}
inline int64_t units(const NearestArgs& a) {
    return a.map.h;
}
inline int64_t units(const ShadeArgs& a) {
    return (a.size + kShadeGroup - 1) / kShadeGroup;
}
inline int64_t units(const PReluArgs& a) {
    return rows(a.view_x);
}
inline int64_t units(const PReluGradArgs& a) {
    return a.pieces;
}
inline int64_t units(const SoftmaxArgs& a) {
    return strip_units(a.view_x, flat(a.view_x) && flat(a.view_y));
}
inline int64_t units(const SoftmaxGradArgs& a) {
    return strip_units(a.view_y, flat(a.view_y) && flat(a.view_dy) && flat(a.view_dx));
}

inline int64_t units(const BinaryArgs& a) {
    return run_units(a.view_y, flat_together(a.view_a, a.view_b, a.view_y));
}
inline int64_t units(const ExtremeGradArgs& a) {
    return run_units(a.view_y, flat_together(a.view_x, a.view_dy, a.view_y) && (!a.dx || flat(a.view_dx)) &&
                                   (!a.rest || flat(a.view_rest)));
}
inline int64_t units(const ReduceBroadcastArgs& a) {
    return rows(a.view_out);
}
inline int64_t units(const ScaleShiftArgs& a) {
    return run_units(a.view_x, flat(a.view_x) && flat(a.view_y));
}
inline int64_t units(const AccumulateArgs& a) {
    return run_units(a.view_x, flat(a.view_x) && flat(a.view_y));
}
inline int64_t units(const CopyArgs& a) {
    return run_units(a.view_x, flat(a.view_x) && flat(a.view_y));
}
inline int64_t units(const TakeArgs& a) {
    return rows(a.view_y);
}
inline int64_t units(const TakeGradArgs& a) {
    return rows(a.view_dx);
}
inline int64_t units(const MatMulArgs& a) {
    return rows(a.view_y) * divide_up(a.view_y.w, kMatMulRows);
}
inline int64_t units(const FillArgs& a) {
    return run_units(a.view, flat(a.view));
}
inline int64_t units(const ZeroHaloArgs& a) {
    return a.view.n;
}
inline int64_t units(const ChannelAffineArgs& a) {
    return strip_units(a.view_x, a.image_stride == 0 && flat(a.view_x) && flat(a.view_y));
}
inline int64_t units(const ChannelAffineGradArgs& a) {
    return strip_units(a.view_dy, a.image_stride == 0 && flat(a.view_dy) && flat(a.view_dx) &&
                                      ((!a.slope && a.activation == ActivationKind::linear) || flat(a.view_x)));
}
inline int64_t units(const MergeSumsArgs& a) {
    return divide_up(a.size, kMergeChunk);
}
inline int64_t units(const GatherArgs& a) {
    return rows(a.view);
}
inline int64_t units(const GatherBytesArgs& a) {
    return divide_up(a.rows, kBytesRows);
}
inline int64_t units(const ResizeArgs& a) {
    return rows(a.view_y);
}
inline int64_t units(const ResizeGradArgs& a) {
    return rows(a.view_dx);
}
inline int64_t units(const DropoutArgs& a) {
    return run_units(a.view_x, flat(a.view_x) && flat(a.view_y));
}
inline int64_t units(const DropoutGradArgs& a) {
    return run_units(a.view_dy, flat(a.view_dy) && flat(a.view_dx));
}
inline int64_t units(const DropoutFactorsArgs& a) {
    return divide_up(a.size, kMergeChunk);
}

inline int64_t units(const MaxPoolArgs& a) {
    return rows(a.view_y);
}
inline int64_t units(const MaxPoolGradArgs& a) {
    return rows(a.view_dx);
}
inline int64_t units(const AveragePoolArgs& a) {
    return rows(a.view_y);
}
inline int64_t units(const AveragePoolGradArgs& a) {
    return rows(a.view_dx);
}
inline int64_t units(const GlobalPoolArgs& a) {
    return a.view_x.n * divide_up(a.view_x.c, kPoolChannels);
}
inline int64_t units(const GlobalPoolGradArgs& a) {
    return rows(a.view_dx);
}

inline int64_t units(const MomentsArgs& a) {
    return a.groups * a.pieces;
}
inline int64_t units(const MomentsGradArgs& a) {
    return a.groups * a.pieces;
}
inline int64_t units(const BatchNormMergeArgs& a) {
    return divide_up(a.c, kMergeChunk);
}
inline int64_t units(const BatchNormFixedArgs& a) {
    return divide_up(a.c, kMergeChunk);
}
inline int64_t units(const BatchNormGradMergeArgs& a) {
    return divide_up(a.c, kMergeChunk);
}
inline int64_t units(const AffinePoolArgs& a) {
    return rows(a.view_y);
}
inline int64_t units(const AffinePoolGradArgs& a) {
    return a.view_dx.n * divide_up(a.view_dx.h, 2);
}
inline int64_t units(const GroupNormMergeArgs& a) {
    return a.n;
}
inline int64_t units(const GroupNormGradMergeArgs& a) {
    return a.n;
}
inline int64_t units(const GroupNormParameterGradArgs& a) {
    return divide_up(a.c, kMergeChunk);
}
inline int64_t units(const LayerNormArgs& a) {
    return divide_up(normalised_rows(a.view_x, a.axes), normalised_per_unit(a.view_x, a.axes));
}
inline int64_t units(const LayerNormGradArgs& a) {
    return a.pieces;
}

inline int64_t units(const LossRows& b) {
    return divide_up(b.rows, loss_rows(b.c));
}
inline int64_t units(const ElementLossArgs& a) {
    return units(a.batch);
}
inline int64_t units(const CategoricalLossArgs& a) {
    return units(a.batch);
}
inline int64_t units(const SparseLossArgs& a) {
    return units(a.batch);
}
inline int64_t units(const CountLabelsArgs& a) {
    return divide_up(a.rows, kMergeChunk);
}
inline int64_t units(const LossNormaliserArgs&) {
    return 1;
}
inline int64_t units(const LossMergeArgs&) {
    return 1;
}
inline int64_t units(const OverlapArgs& a) {
    return a.n * a.pieces;
}
inline int64_t units(const OverlapMergeArgs&) {
    return 1;
}
inline int64_t units(const OverlapGradArgs& a) {
    return units(a.batch);
}
inline int64_t units(const DetectionAssignArgs& a) {
    return a.n;
}
inline int64_t units(const DetectionLossArgs& a) {
    return a.n * divide_up(detection_locations(a.grid), kDetectionPiece);
}

inline int64_t units(const DetectionMergeArgs&) {
    return 1;
}

inline int64_t units(const UpdateArgs& a) {
    return a.count;
}
inline int64_t units(const GradientSquaresArgs& a) {
    return a.count;
}
inline int64_t units(const PenaltiesArgs& a) {
    return a.count;
}
inline int64_t units(const ClipScalesArgs&) {
    return 1;
}

inline int64_t units(const ConvArgs& a) {
    const int64_t tiles = divide_up(a.images * a.rows, a.segments) * divide_up(a.cols, a.strip);
    return a.groups * divide_up(tiles, a.unit_tiles) * divide_up(divide_up(a.channels, a.panel), a.unit_panels);
}
inline int64_t units(const PooledConvArgs& a) {
    return a.groups * a.down;
}
inline int64_t units(const PackArgs& a) {
    return a.groups * divide_up(a.channels, a.panel) * a.rows * a.cols;
}
inline int64_t units(const ConvWeightArgs& a) {
    return a.pieces * a.groups * divide_up(divide_up(a.channels, a.panel), a.unit_panels) *
           divide_up(a.tap_rows * a.tap_cols, a.unit_taps);
}
inline int64_t units(const MaximaWeightArgs& a) {
    return a.pieces;
}
inline int64_t units(const SlotSumArgs& a) {
    return a.groups * divide_up(a.rows, kSlotRows);
}
inline int64_t units(const WinogradArgs& a) {
    return divide_up(a.tiles, a.block);
}
inline int64_t units(const WinogradMapArgs& a) {
    return divide_up(a.tiles.count, kWinogradTiles);
}
inline int64_t units(const WinogradTransformsArgs& a) {
    return units(a.input) + units(a.gradient);
}
inline int64_t units(const WinogradProductArgs& a) {
    return kWinogradPoints * divide_up(divide_up(a.channels, a.panel), a.unit_panels);
}
inline int64_t units(const WinogradOutputArgs& a) {
    return divide_up(a.tiles.count, kWinogradTiles);
}
inline int64_t units(const WinogradWeightsArgs& a) {
    return divide_up(a.channels, a.panel) * divide_up(a.depth, kWinogradRows);
}
inline int64_t units(const WinogradStreamedArgs& a) {
    return divide_up(a.weights.channels, a.weights.panel) * divide_up(a.tiles, a.block);
}
inline int64_t units(const WinogradToWeightsArgs& a) {
    return a.pieces;
}
inline int64_t units(const WinogradWeightProductArgs& a) {
    return kWinogradPoints * divide_up(divide_up(a.channels, a.panel), a.unit_panels);
}
inline int64_t units(const WinogradWeightGradArgs& a) {
    return divide_up(a.depth, kWinogradRows);
}
inline int64_t units(const WinogradWeightsStreamedArgs& a) {
    return divide_up(a.product.depth, a.block_depth) * divide_up(a.product.channels, a.product.panel);
}
inline int64_t units(const DepthwiseArgs& a) {
    return a.images * a.rows;
}
inline int64_t units(const DepthwiseWeightArgs& a) {
    return a.pieces;
}
inline int64_t units(const GroupedConvArgs& a) {
    return a.images * a.rows;
}
inline int64_t units(const GroupedWeightArgs& a) {
    return a.pieces * divide_up(divide_up(a.channels, a.panel), a.unit_vectors);
}
inline int64_t units(const GroupedPackArgs& a) {
    return divide_up(a.channels, a.panel) * a.rows * a.cols;
}
inline int64_t units(const ChannelSumArgs& a) {
    return a.pieces;
}
inline int64_t units(const FmaPeakArgs& a) {
    return a.count;
}

// How many partial sums a reduction makes: enough for many threads, few enough to cost nothing to merge.
inline int64_t sum_pieces(int64_t rows, int64_t elements) {
    const int64_t wanted = divide_up(elements, kChunk), most = wanted < 64 ? wanted : 64;
    return at_least_one(most < rows ? most : rows);
}

}  // namespace striate::kernels
