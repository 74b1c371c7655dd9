// The gradient of a convolution or dense layer with respect to its weights: a product of matrices whose rows are taps
// and depth, whose columns are channels, and whose sum runs over output pixels, dealt out to pieces.
#include "device.cuh"
#include "tile.cuh"

namespace striate::cuda {
namespace {

constexpr int kSide = 64;
using Tile = ProductTile<kSide, kSide>;
constexpr int kDepth = Tile::kDepth;

template <class Offset>
__global__ void __launch_bounds__(kBlock) weight_tiles(const ConvWeightArgs a) {
    using Places = Offset[2][kDepth];  // of the next pixels beside those in use
    STRIATE_SHARED(Tile::Memory, memory);
    STRIATE_SHARED(Places, x_at);
    STRIATE_SHARED(Places, dy_at);
    const int t = threadIdx.x;
    const int64_t rows = a.tap_rows * a.tap_cols * a.depth;
    const int64_t across = divide_up(a.channels, kSide), down = divide_up(rows, kSide);
    const int64_t first_channel = blockIdx.x % across * kSide, first_row = blockIdx.x / across % down * kSide;
    const int64_t group = blockIdx.x / across / down % a.groups, piece = blockIdx.x / across / down / a.groups;
    const int64_t pixels = a.images * a.rows * a.cols;
    const int64_t begin = piece_begin(pixels, a.pieces, piece), end = piece_begin(pixels, a.pieces, piece + 1);

    // What a thread loads: one row and one channel of every fourth pixel.
    constexpr int kStep = kBlock / kSide, kLoads = kDepth / kStep;
    const int own = t % kSide, pixel0 = t / kSide;
    const int64_t k = first_row + own, channel = first_channel + own;
    const bool has_row = k < rows, has_channel = channel < a.channels;
    const int64_t tap = has_row ? k / a.depth : 0;
    const float* const x = a.x + a.x_offset + group * a.x_group + tap / a.tap_cols * a.tap_row +
                           tap % a.tap_cols * a.tap_col + (has_row ? k % a.depth : 0);
    const float* const dy = a.dy + group * a.y_group + (has_channel ? channel : 0);

    const auto place = [&](int64_t first, int buffer) {
        if (t >= kDepth || first + t >= end) return;
        const int64_t p = first + t, n = p / a.cols / a.rows, row = p / a.cols % a.rows, col = p % a.cols;
        x_at[buffer][t] = static_cast<Offset>(n * a.x_image + row * a.x_row + col * a.x_col);
        dy_at[buffer][t] = static_cast<Offset>(n * a.y_image + row * a.y_row + col * a.y_col);
    };
    float from_x[kLoads], from_dy[kLoads];
    const auto load = [&](int64_t first, int buffer) {
#pragma unroll
        for (int i = 0; i < kLoads; ++i) {
            const int p = pixel0 + i * kStep;
            const bool inside = first + p < end;
            from_x[i] = inside && has_row ? x[x_at[buffer][p]] : 0.0f;
            from_dy[i] = inside && has_channel ? dy[dy_at[buffer][p]] : 0.0f;
        }
    };

    Tile tile;
    int buffer = 0;
    place(begin, buffer);
    __syncthreads();
    load(begin, buffer);
    for (int64_t first = begin; first < end; first += kDepth) {
        buffer = 1 - buffer;
        place(first + kDepth, buffer);
#pragma unroll
        for (int i = 0; i < kLoads; ++i) {
            memory.a[pixel0 + i * kStep][own] = from_x[i];
            memory.b[pixel0 + i * kStep][own] = from_dy[i];
        }
        __syncthreads();
        load(first + kDepth, buffer);
        tile.add(memory);
        __syncthreads();
    }

    float* const slot = a.slots + (piece * a.groups + group) * rows * a.w_step;
    tile.each([&](int row, int col, float sum) {
        const int64_t r = first_row + row, o = first_channel + col;
        if (r < rows && o < a.channels) slot[r * a.w_step + o] = sum;
    });
}

struct SumSlots {
    template <class I>
    static STRIATE_DEVICE void at(const SlotSumArgs& a, I i) {
        const auto channels = static_cast<I>(a.channels), rows = static_cast<I>(a.rows);
        const I j = i % channels, k = i / channels % rows, g = i / channels / rows;
        const float* slot = a.slots + (g * a.rows + k) * a.step + j;
        const int64_t apart = a.groups * a.rows * a.step;
        float total = 0;
        for (int64_t piece = 0; piece < a.pieces; ++piece) total += slot[piece * apart];
        a.out[k * a.out_step + g * a.channels + j] = total;
    }
};

int64_t reach_of(const ConvWeightArgs& a) {
    const auto far = [](int64_t count, int64_t stride) { return (count - 1) * (stride < 0 ? -stride : stride); };
    const int64_t x = far(a.images, a.x_image) + far(a.rows, a.x_row) + far(a.cols, a.x_col);
    const int64_t dy = far(a.images, a.y_image) + far(a.rows, a.y_row) + far(a.cols, a.y_col);
    return x > dy ? x : dy;
}

}  // namespace

void conv_weights(const ConvWeightArgs& a, cudaStream_t stream) {
    const int64_t rows = a.tap_rows * a.tap_cols * a.depth;
    const int64_t blocks = a.pieces * a.groups * divide_up(rows, kSide) * divide_up(a.channels, kSide);
    if (blocks <= 0) return;
    if (reach_of(a) < int64_t{1} << 31) {
        const auto kernel = &weight_tiles<int32_t>;
        STRIATE_LAUNCH(kernel, static_cast<unsigned>(blocks), kBlock, stream, a);
    } else {
        const auto kernel = &weight_tiles<int64_t>;
        STRIATE_LAUNCH(kernel, static_cast<unsigned>(blocks), kBlock, stream, a);
    }
}

void sum_slots(const SlotSumArgs& a, cudaStream_t stream) {
    for_each<SumSlots>(a, a.groups * a.rows * a.channels, stream);
}

}  // namespace striate::cuda
