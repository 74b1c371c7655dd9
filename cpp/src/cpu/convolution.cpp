#include "cpu/convolution.hpp"

#include "cpu/convolution_axis.hpp"
#include "cpu/convolution_schedule.hpp"
#include "kernels/units.hpp"
#include "layers/pooling.hpp"

namespace striate::convolution {
namespace {

using kernels::divide_up;

Axis vertical(const Problem& p) {
    return {p.in_h, p.out_h, p.kernel.h, p.stride.h, p.dilation.h, p.pad_top};
}
Axis horizontal(const Problem& p) {
    return {p.in_w, p.out_w, p.kernel.w, p.stride.w, p.dilation.w, p.pad_left};
}

// Strides of a kernel (height, width, in / groups, out).
struct KernelStrides {
    int64_t h, w, in, out, group;
};
KernelStrides kernel_strides(const Problem& p) {
    const int64_t in = p.in_c / p.groups;
    return {p.kernel.w * in * p.out_c, in * p.out_c, p.out_c, 1, p.out_c / p.groups};
}

// Whether the pixels of a kernel row are one run of floats.
bool one_run(const Problem& p, int64_t taps, int64_t step, const View& map) {
    return taps <= 1 || (p.groups == 1 && step == 1 && map.pixel == map.c);
}

void restrict_to(kernels::ConvArgs& a, const Part* part) {
    if (!part) return;
    a.x_offset += part->top * a.x_row + part->left * a.x_col;
    a.y_offset += part->top * a.y_row + part->left * a.y_col;
    a.rows = part->h, a.cols = part->w;
}

// A call of the gradient to the input: one phase of each axis, the positions being `stride` apart.
struct Pass {
    Phase v, h;
    Pair stride;
};

// A call for each pair of phases. Where there are many, the positions that no tap reaches are not called one phase
// after the other: the first call writes them everywhere, and calls for what the kernel reaches follow.
std::vector<Pass> passes_to_input(const Problem& p) {
    constexpr int64_t kMaxCalls = 64;
    const Axis down = vertical(p), across = horizontal(p);
    std::vector<Pass> passes;
    const auto every_pair = [&](const std::vector<Phase>& rows, const std::vector<Phase>& columns) {
        for (const Phase& v : rows)
            for (const Phase& h : columns) passes.push_back({v, h, p.stride});
    };
    const int64_t row_phases = position_phases(down), column_phases = position_phases(across);
    if (row_phases <= kMaxCalls && column_phases <= kMaxCalls && row_phases * column_phases <= kMaxCalls) {
        every_pair(phases_with_positions(down), phases_with_positions(across));
        return passes;
    }
    const std::vector<Phase> rows = phases_with_taps(down), columns = phases_with_taps(across);
    if (static_cast<int64_t>(rows.size()) < row_phases || static_cast<int64_t>(columns.size()) < column_phases) {
        Phase all_rows{}, all_columns{};
        all_rows.count = p.in_h, all_columns.count = p.in_w;
        passes.push_back({all_rows, all_columns, Pair(1)});
    }
    every_pair(rows, columns);
    return passes;
}

// Everything that follows from the places of pixels and taps.
void complete(Lowered& l, int64_t tap_channels, bool contiguous, const Machine& machine) {
    kernels::ConvArgs& a = l.conv;
    kernels::PackArgs& k = l.pack;
    k.rows = a.tap_rows;
    k.cols = a.tap_cols;
    k.depth = tap_channels;
    k.channels = a.channels;
    k.groups = a.groups;
    a.depth = tap_channels;
    a.y_channel = 1;
    if (contiguous && a.tap_cols > 1) {
        a.depth *= a.tap_cols;
        a.tap_cols = 1;
    }
    schedule(a, machine);
    k.panel = a.panel;
    l.packed_floats = a.w_group * a.groups;
}

}  // namespace

int64_t output_size(int64_t in, int64_t kernel, int64_t stride, int64_t dilation, bool same) {
    if (same) return divide_up(in, stride);
    const int64_t extent = (kernel - 1) * dilation + 1;
    return in < extent ? 0 : (in - extent) / stride + 1;
}

int64_t padding_before(int64_t in, int64_t kernel, int64_t stride, int64_t dilation, bool same) {
    if (!same) return 0;
    const int64_t extent = (kernel - 1) * dilation + 1;
    return std::max<int64_t>(0, (divide_up(in, stride) - 1) * stride + extent - in) / 2;
}

Halo input_halo(const Problem& p) {
    Halo halo;
    const auto axis = [](const Axis& a, int64_t& before, int64_t& behind) {
        reach(before, behind, -a.pad, (a.out - 1) * a.stride - a.pad + (a.kernel - 1) * a.dilation, a.in);
    };
    axis(vertical(p), halo.top, halo.bottom);
    axis(horizontal(p), halo.left, halo.right);
    return halo;
}

Halo output_halo(const Problem& p) {
    Halo halo;
    const auto axis = [](const Axis& a, int64_t& before, int64_t& behind) {
        constexpr int64_t kMaxPhases = 4096;
        if (tap_phases(a) > kMaxPhases)  // a bound
            return reach(before, behind, (a.pad - (a.kernel - 1) * a.dilation) / a.stride,
                         (a.in - 1 + a.pad) / a.stride, a.out);
        for (const Phase& f : phases_with_taps(a))
            reach(before, behind, f.start, f.count - 1 + f.start + (f.taps - 1) * f.step, a.out);
    };
    axis(vertical(p), halo.top, halo.bottom);
    axis(horizontal(p), halo.left, halo.right);
    return halo;
}

void check_halos(const Problem& p, const std::string& owner) {
    // Floats that a map may take with its zeros, however small it is, and how many times its own floats.
    constexpr double kAlways = 1 << 22, kTimes = 64;
    const auto check = [&](int64_t h, int64_t w, int64_t c, const Halo& halo) {
        const double own = static_cast<double>(h) * static_cast<double>(w) * static_cast<double>(c);
        const double whole = static_cast<double>(h + halo.top + halo.bottom) *
                             static_cast<double>(w + halo.left + halo.right) * static_cast<double>(c);
        require(whole <= std::max(kAlways, kTimes * own), "[", owner, "] kernel_size (", p.kernel.h, ", ", p.kernel.w,
                ") with dilation_rate (", p.dilation.h, ", ", p.dilation.w, ") and strides (", p.stride.h, ", ",
                p.stride.w, ") reaches so far over the edge of a map of ", h, " x ", w,
                " that the padding takes more than ", kTimes, " times the memory of the map; use smaller ones");
    };
    check(p.in_h, p.in_w, p.in_c, input_halo(p));
    check(p.out_h, p.out_w, p.out_c, output_halo(p));
}

Lowered forward(const Problem& p, const View& x, const View& y, const Machine& machine, bool weights_stay,
                const Part* part) {
    Lowered l{};
    kernels::ConvArgs& a = l.conv;
    a.x_offset = -p.pad_top * x.row - p.pad_left * x.pixel;
    a.images = x.n, a.rows = p.out_h, a.cols = p.out_w;
    a.x_image = x.image, a.x_row = p.stride.h * x.row, a.x_col = p.stride.w * x.pixel;
    a.y_image = y.image, a.y_row = y.row, a.y_col = y.pixel;
    a.tap_rows = p.kernel.h, a.tap_cols = p.kernel.w;
    a.tap_row = p.dilation.h * x.row, a.tap_col = p.dilation.w * x.pixel;
    a.channels = p.out_c / p.groups;
    a.groups = p.groups, a.x_group = p.in_c / p.groups, a.y_group = a.channels;
    const KernelStrides w = kernel_strides(p);
    l.pack.s_group = w.group, l.pack.s_row = w.h, l.pack.s_col = w.w, l.pack.s_depth = w.in, l.pack.s_channel = w.out;
    restrict_to(a, part);
    complete(l, p.in_c / p.groups, one_run(p, p.kernel.w, p.dilation.w, x), machine);

    // Rows of the kernel that are whole vectors can be read where they are. Packing pays when they are read many times;
    // a panel that is one run also comes faster from memory.
    const int64_t pixels = a.images * a.rows * a.cols;
    l.direct =
        p.groups == 1 && a.channels % machine.lanes == 0 && (a.channels == a.panel || (pixels <= 256 && !weights_stay));
    if (l.direct) {
        a.w_step = a.channels;
        a.w_panel = a.panel;
    }
    return l;
}

constexpr int64_t kPooledBytes = 64 << 10;  // of outputs that wait in the nearest caches for their maxima

LoweredPooled pooled(const Problem& p, const View& x, const View& y, const Machine& machine, bool relu) {
    const int64_t row_floats = 4 * y.w * y.c, fit = std::max<int64_t>(1, kPooledBytes / 4 / row_floats);
    LoweredPooled l{};
    kernels::PooledConvArgs& args = l.args;
    args.view_y = y;
    args.down = divide_up(y.h, fit);                                // parts of an image
    args.groups = divide_up(y.n, std::max<int64_t>(1, fit / y.h));  // of whole images
    args.x_image = x.image, args.x_row = 2 * p.stride.h * x.row;
    args.images[0] = divide_up(y.n, args.groups), args.rows[0] = divide_up(y.h, args.down);
    args.images[1] = y.n / args.groups, args.rows[1] = y.h / args.down;
    for (const int i : {1, 0}) {
        View part_x = x, part_y = y;
        const int64_t images = args.images[i], w = 2 * y.w, h = 2 * args.rows[i];
        part_x.n = part_y.n = images, part_y.h = args.rows[i];
        const View between{images, h, w, y.c, h * w * y.c, w * y.c, y.c};
        const Part outputs{0, 0, h, w};
        l.sums = forward(p, part_x, between, machine, true, &outputs);
        args.sums[i] = l.sums.conv;
        args.maxima[i] = {pooling::kHalves, between, part_y, nullptr, nullptr, {nullptr, false}, relu};
        args.sum_units[i] = kernels::units(args.sums[i]);
        args.maxima_units[i] = kernels::units(args.maxima[i]);
    }
    l.scratch_floats = args.images[0] * args.rows[0] * row_floats;
    return l;
}

std::vector<Lowered> to_input(const Problem& p, const View& dy, const View& dx, const Machine& machine,
                              const Part* part) {
    std::vector<Lowered> calls;
    const KernelStrides w = kernel_strides(p);
    for (const Pass& pass : passes_to_input(p)) {
        const auto& [v, h, stride] = pass;
        Lowered l{};
        kernels::ConvArgs& a = l.conv;
        a.x_offset = v.start * dy.row + h.start * dy.pixel;
        a.y_offset = v.first * dx.row + h.first * dx.pixel;
        a.images = dy.n, a.rows = v.count, a.cols = h.count;
        a.x_image = dy.image, a.x_row = dy.row, a.x_col = dy.pixel;
        a.y_image = dx.image, a.y_row = stride.h * dx.row, a.y_col = stride.w * dx.pixel;
        a.tap_rows = h.taps ? v.taps : 0, a.tap_cols = h.taps;
        a.tap_row = v.step * dy.row, a.tap_col = h.step * dy.pixel;
        a.channels = p.in_c / p.groups;
        a.groups = p.groups, a.x_group = p.out_c / p.groups, a.y_group = a.channels;
        l.pack.src_offset = v.kernel_first * w.h + h.kernel_first * w.w;
        l.pack.s_group = w.group, l.pack.s_row = -v.kernel_step * w.h, l.pack.s_col = -h.kernel_step * w.w;
        l.pack.s_depth = w.out, l.pack.s_channel = w.in;
        restrict_to(a, part);
        complete(l, p.out_c / p.groups, one_run(p, h.taps, h.step, dy), machine);
        calls.push_back(l);
    }
    return calls;
}

bool prefers_turned(const Problem& p, const View& dy, const View& dx) {
    const bool dense = p.kernel == Pair(1) && p.stride == Pair(1) && p.groups == 1;
    const bool lines =
        dy.h == 1 && dx.h == 1 && (dy.w == 1 || (dy.image == dy.w * dy.pixel && dx.image == dx.w * dx.pixel));
    return dense && lines && dy.n * dy.w <= 256 && p.in_c * p.out_c >= 64 * 1024;
}

Lowered to_input_turned(const Problem& p, const View& dy, const View& dx, const Machine& machine) {
    Lowered l{};
    kernels::ConvArgs& a = l.conv;
    a.images = a.rows = 1, a.cols = p.in_c;
    a.x_col = p.out_c, a.y_col = 1;
    a.tap_rows = a.tap_cols = 1;
    a.groups = 1;
    a.channels = dy.n * dy.w;
    l.pack.s_depth = 1, l.pack.s_channel = dy.w == 1 ? dy.image : dy.pixel;
    complete(l, p.out_c, true, machine);
    a.y_channel = dx.w == 1 ? dx.image : dx.pixel;
    return l;
}

LoweredWeights to_weights(const Problem& p, const View& x, const View& dy, const Machine& machine) {
    LoweredWeights l{};
    kernels::ConvWeightArgs& a = l.weights;
    a.x_offset = -p.pad_top * x.row - p.pad_left * x.pixel;
    a.images = x.n, a.rows = p.out_h, a.cols = p.out_w;
    a.x_image = x.image, a.x_row = p.stride.h * x.row, a.x_col = p.stride.w * x.pixel;
    a.y_image = dy.image, a.y_row = dy.row, a.y_col = dy.pixel;
    a.tap_rows = p.kernel.h, a.tap_cols = p.kernel.w, a.depth = p.in_c / p.groups;
    a.tap_row = p.dilation.h * x.row, a.tap_col = p.dilation.w * x.pixel;
    a.channels = p.out_c / p.groups;
    a.groups = p.groups, a.x_group = a.depth, a.y_group = a.channels;
    if (one_run(p, p.kernel.w, p.dilation.w, x)) {
        a.depth *= a.tap_cols;
        a.tap_cols = 1;
    }
    schedule(a, machine);
    const int64_t rows = a.tap_rows * a.tap_cols * a.depth;
    l.direct = a.pieces == 1 && a.groups == 1 && a.channels % machine.lanes == 0;
    l.slot_floats = a.pieces * a.groups * rows * a.w_step;
    l.scratch_floats = a.pack ? a.chunk_images * a.chunk_rows * a.chunk_cols * a.panel : 0;
    l.sum.pieces = a.pieces, l.sum.groups = a.groups, l.sum.rows = rows, l.sum.channels = a.channels;
    l.sum.step = a.w_step, l.sum.out_step = p.out_c;
    return l;
}

bool maxima_fit(const Problem& p) {
    return p.groups == 1 && p.kernel.h * p.kernel.w * p.in_c <= kernels::kMaximaTaps;
}

LoweredMaximaWeights maxima_to_weights(const Problem& p, const View& x, const View& dy) {
    constexpr int64_t kWindows = 64;          // at least, that are summed before they are added to a slot
    constexpr int64_t kFourBytes = 32 << 10;  // of a block's fours
    constexpr int64_t kMaxMaximaPieces = 32;
    LoweredMaximaWeights l{};
    kernels::MaximaWeightArgs& a = l.weights;
    a.x_offset = -p.pad_top * x.row - p.pad_left * x.pixel;
    a.images = x.n, a.rows = dy.h, a.cols = dy.w;
    a.x_image = x.image, a.x_row = p.stride.h * x.row, a.x_pixel = x.pixel;
    a.dy_image = dy.image, a.dy_row = dy.row, a.dy_pixel = dy.pixel;
    a.col_stride = p.stride.w, a.col_dilation = p.dilation.w;
    a.tap_rows = p.kernel.h, a.tap_cols = p.kernel.w, a.depth = p.in_c;
    a.tap_row = p.dilation.h * x.row;
    a.channels = p.out_c;
    const int64_t across = 2 * (a.cols - 1) * a.col_stride + (a.tap_cols - 1) * a.col_dilation + 1;
    const int64_t row_floats = 4 * a.tap_rows * across * a.depth, lines = a.images * a.rows;
    a.pieces = std::clamp<int64_t>(lines * a.cols / kWindows, 1, std::min(kMaxMaximaPieces, lines));
    a.block_rows = std::clamp<int64_t>(std::min(divide_up(kWindows, a.cols), kFourBytes / (4 * row_floats)), 1, a.rows);
    const int64_t taps = a.tap_rows * a.tap_cols * a.depth;
    l.scratch_floats = a.block_rows * row_floats;
    l.slot_floats = a.pieces * taps * a.channels, l.bias_floats = a.pieces * a.channels;
    l.sum.pieces = a.pieces, l.sum.groups = 1, l.sum.rows = taps;
    l.sum.channels = l.sum.step = l.sum.out_step = a.channels;
    l.bias = l.sum;
    l.bias.rows = 1;
    return l;
}

kernels::DepthwiseArgs depthwise_forward(const Problem& p, const View& x, const View& y) {
    kernels::DepthwiseArgs a{};
    a.x_offset = -p.pad_top * x.row - p.pad_left * x.pixel;
    a.images = x.n, a.rows = p.out_h, a.cols = p.out_w;
    a.x_image = x.image, a.x_row = p.stride.h * x.row, a.x_col = p.stride.w * x.pixel;
    a.y_image = y.image, a.y_row = y.row, a.y_col = y.pixel;
    a.tap_rows = p.kernel.h, a.tap_cols = p.kernel.w;
    a.tap_row = p.dilation.h * x.row, a.tap_col = p.dilation.w * x.pixel;
    a.w_row = p.kernel.w * p.out_c, a.w_col = p.out_c;
    a.channels = p.in_c, a.multiplier = p.out_c / p.in_c;
    return a;
}

std::vector<kernels::DepthwiseArgs> depthwise_to_input(const Problem& p, const View& dy, const View& dx) {
    std::vector<kernels::DepthwiseArgs> calls;
    for (const Pass& pass : passes_to_input(p)) {
        const auto& [v, h, stride] = pass;
        kernels::DepthwiseArgs a{};
        a.x_offset = v.start * dy.row + h.start * dy.pixel;
        a.y_offset = v.first * dx.row + h.first * dx.pixel;
        a.w_offset = (v.kernel_first * p.kernel.w + h.kernel_first) * p.out_c;
        a.images = dy.n, a.rows = v.count, a.cols = h.count;
        a.x_image = dy.image, a.x_row = dy.row, a.x_col = dy.pixel;
        a.y_image = dx.image, a.y_row = stride.h * dx.row, a.y_col = stride.w * dx.pixel;
        a.tap_rows = h.taps ? v.taps : 0, a.tap_cols = h.taps;
        a.tap_row = v.step * dy.row, a.tap_col = h.step * dy.pixel;
        a.w_row = -v.kernel_step * p.kernel.w * p.out_c, a.w_col = -h.kernel_step * p.out_c;
        a.channels = p.in_c, a.multiplier = p.out_c / p.in_c;
        a.gather = true;
        calls.push_back(a);
    }
    return calls;
}

LoweredDepthwiseWeights depthwise_to_weights(const Problem& p, const View& x, const View& dy) {
    LoweredDepthwiseWeights l{};
    kernels::DepthwiseWeightArgs& a = l.weights;
    a.x_offset = -p.pad_top * x.row - p.pad_left * x.pixel;
    a.images = x.n, a.rows = p.out_h, a.cols = p.out_w;
    a.x_image = x.image, a.x_row = p.stride.h * x.row, a.x_col = p.stride.w * x.pixel;
    a.y_image = dy.image, a.y_row = dy.row, a.y_col = dy.pixel;
    a.tap_rows = p.kernel.h, a.tap_cols = p.kernel.w;
    a.tap_row = p.dilation.h * x.row, a.tap_col = p.dilation.w * x.pixel;
    a.channels = p.in_c, a.multiplier = p.out_c / p.in_c;
    a.pieces = std::min<int64_t>(a.images * a.rows, 32);
    const int64_t taps = a.tap_rows * a.tap_cols;
    l.slot_floats = a.pieces * taps * p.out_c;
    l.sum.pieces = a.pieces, l.sum.groups = 1, l.sum.rows = taps, l.sum.channels = p.out_c;
    l.sum.step = l.sum.out_step = p.out_c;
    return l;
}

}  // namespace striate::convolution
