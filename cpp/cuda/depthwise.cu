// Convolutions in which few input channels reach an output channel: depthwise, and in groups of few channels.
#include "device.cuh"

namespace striate::cuda {
namespace {

// The place of an output: pixel and channel, of `width` channels.
template <class I>
struct Output {
    I image, row, col, channel;
};
template <class I, class Args>
STRIATE_DEVICE Output<I> output_of(const Args& a, I i, int64_t width) {
    const auto c = static_cast<I>(width), cols = static_cast<I>(a.cols), rows = static_cast<I>(a.rows);
    const I pixel = i / c;
    return {pixel / cols / rows, pixel / cols % rows, pixel % cols, i % c};
}
template <class I, class Args>
STRIATE_DEVICE int64_t x_place(const Args& a, const Output<I>& o) {
    return a.x_offset + o.image * a.x_image + o.row * a.x_row + o.col * a.x_col;
}
template <class I, class Args>
STRIATE_DEVICE int64_t y_place(const Args& a, const Output<I>& o) {
    return o.image * a.y_image + o.row * a.y_row + o.col * a.y_col;
}

struct Depthwise {
    template <class I>
    static STRIATE_DEVICE void at(const DepthwiseArgs& a, I i) {
        const int64_t m = a.multiplier, width = a.gather ? a.channels : a.channels * m;
        const Output<I> o = output_of(a, i, width);
        const float* const x = a.x + x_place(a, o);
        const float* const w = a.weights + a.w_offset;
        float sum = 0;
        for (int64_t r = 0; r < a.tap_rows; ++r)
            for (int64_t c = 0; c < a.tap_cols; ++c) {
                const float* const from = x + r * a.tap_row + c * a.tap_col;
                const float* const by = w + r * a.w_row + c * a.w_col;
                if (!a.gather) {
                    sum = fmaf(from[o.channel / static_cast<I>(m)], by[o.channel], sum);
                    continue;
                }
                for (int64_t j = o.channel * m; j < (o.channel + int64_t{1}) * m; ++j) sum = fmaf(from[j], by[j], sum);
            }
        if (a.bias) sum += a.bias[o.channel];
        a.y[a.y_offset + y_place(a, o) + o.channel] = a.epilogue.kind == ActivationKind::relu ? relu_of(sum) : sum;
    }
};

struct Grouped {
    template <class I>
    static STRIATE_DEVICE void at(const GroupedConvArgs& a, I i) {
        const Output<I> o = output_of(a, i, a.channels);
        const int64_t group = a.group, panel = a.panel, channel = o.channel;
        const float* const x = a.x + x_place(a, o) + channel / group * group;
        const float* w = a.weights + channel / panel * a.tap_rows * a.tap_cols * group * panel + channel % panel;
        float sum = 0;
        for (int64_t r = 0; r < a.tap_rows; ++r)
            for (int64_t c = 0; c < a.tap_cols; ++c, w += group * panel) {
                const float* const from = x + r * a.tap_row + c * a.tap_col;
                for (int64_t j = 0; j < group; ++j) sum = fmaf(from[j], w[j * panel], sum);
            }
        if (a.bias) sum += a.bias[channel];
        float* const y = a.y + a.y_offset + y_place(a, o) + channel;
        if (a.accumulate) sum += *y;
        *y = a.epilogue.kind == ActivationKind::relu ? relu_of(sum) : sum;
    }
};

struct PackGrouped {
    template <class I>
    static STRIATE_DEVICE void at(const GroupedPackArgs& a, I number) {
        const auto panel = static_cast<I>(a.panel), group = static_cast<I>(a.group);
        const auto cols = static_cast<I>(a.cols), rows = static_cast<I>(a.rows);
        const I i = number % panel, j = number / panel % group, tap = number / panel / group;
        const int64_t c = tap % cols, r = tap / cols % rows, o = static_cast<int64_t>(tap / cols / rows) * a.panel + i;
        a.dst[number] =
            o < a.channels
                ? a.src[a.src_offset + r * a.s_row + c * a.s_col + o % a.group * a.s_depth + o / a.group * a.group + j]
                : 0.0f;
    }
};

constexpr int kLanes = kBlock / kWarpSize;

// Block (piece, row of a slot, 32 channels): eight threads for a channel add every eighth pixel of the piece's lines.
// `from` gives the place of the input channel within its pixel.
template <class Args, class From>
STRIATE_DEVICE void weight_row(const Args& a, int64_t slot_rows, int64_t width, int64_t tap, From from) {
    using Parts = double[kLanes][kWarpSize];
    STRIATE_SHARED(Parts, parts);
    const int lane = threadIdx.x / kWarpSize, own = threadIdx.x % kWarpSize;
    const int64_t chunks = divide_up(width, kWarpSize);
    const int64_t piece = blockIdx.x / chunks / slot_rows, row = blockIdx.x / chunks % slot_rows;
    const int64_t o = blockIdx.x % chunks * kWarpSize + own;
    const int64_t lines = a.images * a.rows;
    const int64_t begin = piece_begin(lines, a.pieces, piece) * a.cols,
                  end = piece_begin(lines, a.pieces, piece + 1) * a.cols;
    LongSum sum;
    if (o < width) {
        const int64_t place = tap / a.tap_cols * a.tap_row + tap % a.tap_cols * a.tap_col + from(o);
        for (int64_t p = begin + lane; p < end; p += kLanes) {
            const Output<int64_t> at = {p / a.cols / a.rows, p / a.cols % a.rows, p % a.cols, o};
            sum.add(a.x[x_place(a, at) + place] * a.dy[y_place(a, at) + o]);
        }
    }
    parts[lane][own] = sum.total();
    __syncthreads();
    if (lane != 0 || o >= width) return;
    double total = 0;
    for (int k = 0; k < kLanes; ++k) total += parts[k][own];
    a.slots[(piece * slot_rows + row) * width + o] = static_cast<float>(total);
}

__global__ void __launch_bounds__(kBlock) depthwise_rows(const DepthwiseWeightArgs a) {
    const int64_t width = a.channels * a.multiplier, taps = a.tap_rows * a.tap_cols;
    const int64_t tap = blockIdx.x / divide_up(width, kWarpSize) % taps;
    weight_row(a, taps, width, tap, [&](int64_t o) { return o / a.multiplier; });
}

__global__ void __launch_bounds__(kBlock) grouped_rows(const GroupedWeightArgs a) {
    const int64_t rows = a.tap_rows * a.tap_cols * a.group;
    const int64_t row = blockIdx.x / divide_up(a.channels, kWarpSize) % rows, j = row % a.group;
    weight_row(a, rows, a.channels, row / a.group, [&](int64_t o) { return o / a.group * a.group + j; });
}

}  // namespace

void depthwise(const DepthwiseArgs& a, cudaStream_t stream) {
    const int64_t width = a.gather ? a.channels : a.channels * a.multiplier;
    for_each<Depthwise>(a, a.images * a.rows * a.cols * width, stream);
}

void depthwise_weights(const DepthwiseWeightArgs& a, cudaStream_t stream) {
    const int64_t blocks = a.pieces * a.tap_rows * a.tap_cols * divide_up(a.channels * a.multiplier, kWarpSize);
    if (blocks > 0) STRIATE_LAUNCH(depthwise_rows, static_cast<unsigned>(blocks), kBlock, stream, a);
}

void grouped_conv(const GroupedConvArgs& a, cudaStream_t stream) {
    for_each<Grouped>(a, a.images * a.rows * a.cols * a.channels, stream);
}

void grouped_weights(const GroupedWeightArgs& a, cudaStream_t stream) {
    const int64_t blocks = a.pieces * a.tap_rows * a.tap_cols * a.group * divide_up(a.channels, kWarpSize);
    if (blocks > 0) STRIATE_LAUNCH(grouped_rows, static_cast<unsigned>(blocks), kBlock, stream, a);
}

void pack_grouped(const GroupedPackArgs& a, cudaStream_t stream) {
    for_each<PackGrouped>(a, divide_up(a.channels, a.panel) * a.rows * a.cols * a.group * a.panel, stream);
}

}  // namespace striate::cuda
