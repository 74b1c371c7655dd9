#include "cpu/grouped.hpp"

#include <algorithm>
#include <utility>

#include "kernels/layout.hpp"

namespace striate::convolution {
namespace {

using kernels::divide_up;

constexpr int64_t kPieceWork = int64_t{1} << 20;  // multiply-adds
constexpr int64_t kMinPixels = 256;               // of a piece, so that adding up the pieces costs little
constexpr int64_t kMaxSlots = 16;
constexpr int64_t kNarrow = 4;
constexpr int64_t kWideMap = 8;
constexpr int64_t kSummedPixels = 128;  // in registers, at most, where a line has fewer

// The places of pixels and taps are those of a depthwise convolution.
template <class Args, class Places>
void walk_as(Args& a, const Places& from, const Problem& p, const Machine& machine) {
    a.x_offset = from.x_offset;
    a.images = from.images, a.rows = from.rows, a.cols = from.cols;
    a.x_image = from.x_image, a.x_row = from.x_row, a.x_col = from.x_col;
    a.y_image = from.y_image, a.y_row = from.y_row, a.y_col = from.y_col;
    a.tap_rows = from.tap_rows, a.tap_cols = from.tap_cols;
    a.tap_row = from.tap_row, a.tap_col = from.tap_col;
    a.channels = p.in_c, a.group = p.in_c / p.groups, a.panel = machine.lanes;
    // Maps that are too narrow for a strip: along the images in place of the pixels of a row.
    if (a.cols < kNarrow && a.images > a.cols) {
        std::swap(a.images, a.cols);
        std::swap(a.x_image, a.x_col);
        std::swap(a.y_image, a.y_col);
    }
}

int64_t packed_floats(const kernels::GroupedConvArgs& a) {
    return divide_up(a.channels, a.panel) * a.panel * a.group * a.tap_rows * a.tap_cols;
}

}  // namespace

bool groups_fit(const Problem& p, const Machine& machine) {
    const int64_t group = p.in_c / p.groups;
    if (p.groups == 1 || p.in_c != p.out_c || group > machine.lanes || machine.lanes % group != 0) return false;
    // The direct kernel fills vectors with such groups too, and is faster for small maps and for few products a pixel.
    const bool taps = p.kernel.h * p.kernel.w > 1, wide = std::min(p.in_w, p.out_w) >= kWideMap;
    return group < machine.lanes || (taps && wide);
}

GroupedForward grouped_forward(const Problem& p, const View& x, const View& y, const Machine& machine) {
    GroupedForward l{};
    kernels::GroupedConvArgs& a = l.conv;
    walk_as(a, depthwise_forward(p, x, y), p, machine);
    kernels::PackArgs& k = l.pack;
    k.groups = 1, k.rows = a.tap_rows, k.cols = a.tap_cols, k.depth = a.group;
    k.channels = a.channels, k.panel = a.panel;
    k.s_channel = 1, k.s_depth = p.out_c, k.s_col = a.group * p.out_c, k.s_row = p.kernel.w * k.s_col;
    l.packed_floats = packed_floats(a);
    return l;
}

std::vector<GroupedToInput> grouped_to_input(const Problem& p, const View& dy, const View& dx, const Machine& machine) {
    std::vector<GroupedToInput> calls;
    for (const kernels::DepthwiseArgs& pass : depthwise_to_input(p, dy, dx)) {
        GroupedToInput l{};
        kernels::GroupedConvArgs& a = l.conv;
        walk_as(a, pass, p, machine);
        a.y_offset = pass.y_offset;
        kernels::GroupedPackArgs& k = l.pack;
        k.rows = a.tap_rows, k.cols = a.tap_cols;
        k.channels = a.channels, k.group = a.group, k.panel = a.panel;
        // A tap of this kernel has `group` times the weights of a depthwise one.
        k.src_offset = pass.w_offset * a.group, k.s_row = pass.w_row * a.group, k.s_col = pass.w_col * a.group;
        k.s_depth = p.out_c;
        l.packed_floats = packed_floats(a);
        calls.push_back(l);
    }
    return calls;
}

GroupedToWeights grouped_to_weights(const Problem& p, const View& x, const View& dy, const Machine& machine) {
    GroupedToWeights l{};
    kernels::GroupedWeightArgs& a = l.weights;
    walk_as(a, depthwise_to_weights(p, x, dy).weights, p, machine);
    const int64_t rows = a.tap_rows * a.tap_cols * a.group, lines = a.images * a.rows, pixels = lines * a.cols;
    const double work = static_cast<double>(pixels) * static_cast<double>(rows * a.channels);
    const auto wanted = static_cast<int64_t>(
        std::min(work / static_cast<double>(kPieceWork), static_cast<double>(pixels / kMinPixels)));
    a.pieces = std::clamp<int64_t>(wanted, 1, std::min(kMaxSlots, lines));
    a.lines = std::max<int64_t>(1, kSummedPixels / a.cols);
    // With one piece, threads share the channels.
    a.unit_vectors = a.pieces > 1 ? divide_up(a.channels, a.panel) : 1;
    l.direct = a.pieces == 1;
    l.slot_floats = a.pieces * rows * a.channels;
    l.sum.pieces = a.pieces, l.sum.groups = 1, l.sum.rows = rows;
    l.sum.channels = l.sum.step = l.sum.out_step = a.channels;
    return l;
}

}  // namespace striate::convolution
