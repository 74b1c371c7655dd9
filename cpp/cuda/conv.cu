// Convolution in all its forms, and dense layers: a product of matrices whose rows are output pixels, whose columns are
// channels, and whose sum runs over taps and depth. Padding is a halo of zeros, so no tap is tested.
#include "device.cuh"
#include "tile.cuh"

namespace striate::cuda {
namespace {

// A block computes kRows pixels of kCols channels, kDepth of the sum at a time. Offset is int32_t where it is enough.
template <int kRows, int kCols, class Offset>
struct Conv {
    using Tile = ProductTile<kRows, kCols>;
    static constexpr int kDepth = Tile::kDepth;

    static __device__ void run(const ConvArgs& a, Offset depth) {
        STRIATE_SHARED(typename Tile::Memory, memory);
        using Places = Offset[kRows];
        STRIATE_SHARED(Places, pixel_at);
        const int t = threadIdx.x;
        const int64_t pixels = a.images * a.rows * a.cols;
        const int64_t across = divide_up(a.channels, kCols), down = divide_up(pixels, kRows);
        const int64_t first_channel = blockIdx.x % across * kCols;
        const int64_t first_pixel = blockIdx.x / across % down * kRows;
        const int64_t group = blockIdx.x / across / down;
        const float* const x = a.x + a.x_offset + group * a.x_group;
        const float* const weights = a.weights + group * a.w_group;

        // Pixels behind the last one are read from its place and not written.
        for (int row = t; row < kRows; row += kBlock) {
            const int64_t wanted = first_pixel + row, p = wanted < pixels ? wanted : pixels - 1;
            pixel_at[row] = static_cast<Offset>(p / a.cols / a.rows * a.x_image + p / a.cols % a.rows * a.x_row +
                                                p % a.cols * a.x_col);
        }
        __syncthreads();

        // What a thread loads: every 16th row of the pixels at one place of the sum, and channels at every so many
        // places of it.
        constexpr int kRowStep = kBlock / kDepth, kLoads = kRows / kRowStep;
        constexpr int kDepthStep = kBlock / kCols, kWeightLoads = kDepth / kDepthStep;
        const int row0 = t / kDepth, k_own = t % kDepth;
        const int column = t % kCols, k0 = t / kCols;
        const int64_t channel = first_channel + column;
        const bool has_channel = channel < a.channels;
        const float* const own_weights =
            weights + (has_channel ? channel / a.panel * a.w_panel + channel % a.panel : 0);
        const auto tap_depth = static_cast<Offset>(a.depth), tap_cols = static_cast<Offset>(a.tap_cols);

        float from_x[kLoads], from_w[kWeightLoads];
        const auto load = [&](Offset first) {
            const Offset k = first + k_own;
            const bool inside = k < depth;
            const Offset tap = inside ? k / tap_depth : 0;
            const Offset place = static_cast<Offset>(tap / tap_cols * a.tap_row + tap % tap_cols * a.tap_col) +
                                 (inside ? k - tap * tap_depth : 0);
#pragma unroll
            for (int i = 0; i < kLoads; ++i) from_x[i] = inside ? x[pixel_at[row0 + i * kRowStep] + place] : 0.0f;
#pragma unroll
            for (int i = 0; i < kWeightLoads; ++i) {
                const Offset at = first + k0 + i * kDepthStep;
                from_w[i] = has_channel && at < depth ? own_weights[at * a.w_step] : 0.0f;
            }
        };

        Tile tile;
        if (depth > 0) load(0);
        for (Offset first = 0; first < depth; first += kDepth) {
#pragma unroll
            for (int i = 0; i < kLoads; ++i) memory.a[k_own][row0 + i * kRowStep] = from_x[i];
#pragma unroll
            for (int i = 0; i < kWeightLoads; ++i) memory.b[k0 + i * kDepthStep][column] = from_w[i];
            __syncthreads();
            if (first + kDepth < depth) load(first + kDepth);  // meanwhile
            tile.add(memory);
            __syncthreads();
        }

        tile.each([&](int row, int col, float sum) {
            const int64_t p = first_pixel + row, o = first_channel + col;
            if (p >= pixels || o >= a.channels) return;
            float* const y = a.y + a.y_offset + group * a.y_group + p / a.cols / a.rows * a.y_image +
                             p / a.cols % a.rows * a.y_row + p % a.cols * a.y_col + o * a.y_channel;
            if (a.bias) sum += a.bias[group * a.channels + o];
            if (a.accumulate) sum += *y;
            *y = a.epilogue.kind == ActivationKind::relu ? relu_of(sum) : sum;
        });
    }
};

template <int kRows, int kCols, class Offset>
__global__ void __launch_bounds__(kBlock) conv_tiles(const ConvArgs a, Offset depth) {
    Conv<kRows, kCols, Offset>::run(a, depth);
}

// The farthest float that is read behind x or the weights, for a choice of offsets.
int64_t reach_of(const ConvArgs& a) {
    const auto far = [](int64_t count, int64_t stride) { return (count - 1) * (stride < 0 ? -stride : stride); };
    const int64_t x = far(a.images, a.x_image) + far(a.rows, a.x_row) + far(a.cols, a.x_col) +
                      far(a.tap_rows, a.tap_row) + far(a.tap_cols, a.tap_col) + a.depth;
    const int64_t w = a.tap_rows * a.tap_cols * a.depth * a.w_step;
    return x > w ? x : w;
}

template <int kRows, int kCols>
void start(const ConvArgs& a, cudaStream_t stream) {
    const int64_t depth = a.tap_rows * a.tap_cols * a.depth;
    const int64_t blocks = a.groups * divide_up(a.images * a.rows * a.cols, kRows) * divide_up(a.channels, kCols);
    if (blocks <= 0) return;
    if (reach_of(a) < (int64_t{1} << 31) - 64) {
        const auto kernel = &conv_tiles<kRows, kCols, int32_t>;
        STRIATE_LAUNCH(kernel, static_cast<unsigned>(blocks), kBlock, stream, a, static_cast<int32_t>(depth));
    } else {
        const auto kernel = &conv_tiles<kRows, kCols, int64_t>;
        STRIATE_LAUNCH(kernel, static_cast<unsigned>(blocks), kBlock, stream, a, depth);
    }
}

struct Pack {
    template <class I>
    static STRIATE_DEVICE void at(const PackArgs& a, I i) {
        const auto panel = static_cast<I>(a.panel), depth = static_cast<I>(a.depth), cols = static_cast<I>(a.cols);
        const auto rows = static_cast<I>(a.rows), panels = static_cast<I>(divide_up(a.channels, a.panel));
        const I j = i % panel;
        I rest = i / panel;
        const I d = rest % depth;
        rest /= depth;
        const I c = rest % cols;
        rest /= cols;
        const I r = rest % rows;
        rest /= rows;
        const int64_t channel = rest % panels * a.panel + j, group = rest / panels;
        a.dst[i] = channel < a.channels ? a.src[a.src_offset + group * a.s_group + r * a.s_row + c * a.s_col +
                                                d * a.s_depth + channel * a.s_channel]
                                        : 0.0f;
    }
};

}  // namespace

// The sum of an output is taken in one order whatever the tile, so the choice does not change a bit.
void conv(const ConvArgs& a, cudaStream_t stream) {
    constexpr int64_t kManyTiles = 264;
    const int64_t pixels = a.images * a.rows * a.cols;
    if (a.channels <= 32) return start<128, 32>(a, stream);
    if (a.groups * divide_up(pixels, 128) * divide_up(a.channels, 128) >= kManyTiles && a.channels % 128 == 0)
        return start<128, 128>(a, stream);
    start<64, 64>(a, stream);
}

void pack_weights(const PackArgs& a, cudaStream_t stream) {
    for_each<Pack>(a, a.groups * divide_up(a.channels, a.panel) * a.rows * a.cols * a.depth * a.panel, stream);
}

}  // namespace striate::cuda
