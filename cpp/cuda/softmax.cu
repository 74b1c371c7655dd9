// Softmax over channels, a warp a pixel; PReLU.
#include "device.cuh"

namespace striate::cuda {
namespace {

constexpr int kWarps = kBlock / kWarpSize;

template <class Args, class Body>
STRIATE_DEVICE void each_pixel(const View& v, const Args& a, Body body) {
    const int64_t count = pixels(v);
    const int64_t step = int64_t{gridDim.x} * kWarps;
    for (int64_t p = int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarpSize; p < count; p += step) {
        Place<int64_t> place;
        place.n = p / v.w / v.h, place.y = p / v.w % v.h, place.x = p % v.w, place.c = 0;
        body(a, place, static_cast<int>(threadIdx.x % kWarpSize));
    }
}

__global__ void __launch_bounds__(kBlock) softmax_pixels(const SoftmaxArgs args) {
    each_pixel(args.view_x, args, [](const SoftmaxArgs& a, const Place<int64_t>& place, int lane) {
        const float* const x = a.x + offset_of(a.view_x, place);
        float* const y = a.y + offset_of(a.view_y, place);
        const int64_t c = a.view_x.c;
        float top = x[lane < c ? lane : 0];
        for (int64_t i = lane + kWarpSize; i < c; i += kWarpSize) top = !(x[i] <= top) && top == top ? x[i] : top;
        top = warp_max(top);
        // y may be x, so exponentials are stored and read again by the lane that made them.
        float part = 0;
        for (int64_t i = lane; i < c; i += kWarpSize) {
            const float e = expf(x[i] - top);
            y[i] = e;
            part += e;
        }
        const float total = warp_sum(part);
        for (int64_t i = lane; i < c; i += kWarpSize) y[i] /= total;
    });
}

__global__ void __launch_bounds__(kBlock) softmax_gradients(const SoftmaxGradArgs args) {
    each_pixel(args.view_y, args, [](const SoftmaxGradArgs& a, const Place<int64_t>& place, int lane) {
        const float* const y = a.y + offset_of(a.view_y, place);
        const float* const dy = a.dy + offset_of(a.view_dy, place);
        float* const dx = a.dx + offset_of(a.view_dx, place);
        const int64_t c = a.view_y.c;
        float part = 0;
        for (int64_t i = lane; i < c; i += kWarpSize) part += y[i] * dy[i];
        const float common = warp_sum(part);
        for (int64_t i = lane; i < c; i += kWarpSize) dx[i] = y[i] * (dy[i] - common);
    });
}

template <class Args, class I>
STRIATE_DEVICE float slope(const Args& a, const Place<I>& p) {
    return a.alpha[p.y * a.alpha_row + p.x * a.alpha_pixel + p.c * a.alpha_channel];
}

struct PRelu {
    template <class I>
    static STRIATE_DEVICE void at(const PReluArgs& a, I i) {
        const Place<I> p = place_of(a.view_x, i);
        const float x = a.x[offset_of(a.view_x, p)];
        a.y[offset_of(a.view_y, p)] = x < 0.0f ? x * slope(a, p) : x;
    }
};

struct PReluBackward {
    template <class I>
    static STRIATE_DEVICE void at(const PReluGradArgs& a, I i) {
        const Place<I> p = place_of(a.view_x, i);
        const float dy = a.dy[offset_of(a.view_dy, p)];
        a.dx[offset_of(a.view_dx, p)] = a.x[offset_of(a.view_x, p)] < 0.0f ? dy * slope(a, p) : dy;
    }
};

// 32 neighbouring slopes a block, with eight threads each that add every eighth of the places that share it.
__global__ void __launch_bounds__(kBlock) slope_sums(const PReluGradArgs a) {
    using Parts = double[kWarps][kWarpSize];
    STRIATE_SHARED(Parts, parts);
    const View& v = a.view_x;
    const int lane = threadIdx.x / kWarpSize, own = threadIdx.x % kWarpSize;
    const int64_t chunks = divide_up(a.alpha_size, kWarpSize), piece = blockIdx.x / chunks;
    const int64_t i = blockIdx.x % chunks * kWarpSize + own;
    const int64_t first = piece_begin(v.n, a.pieces, piece), images = piece_begin(v.n, a.pieces, piece + 1) - first;
    // Slopes are in the order y, x, c, without the axes along which they are shared.
    const int64_t own_c = a.alpha_channel ? v.c : 1, own_w = a.alpha_pixel ? v.w : 1;
    const int64_t c_count = v.c / own_c, w_count = v.w / own_w, h_count = a.alpha_row ? 1 : v.h;
    LongSum sum;
    if (i < a.alpha_size) {
        const int64_t c0 = a.alpha_channel ? i % own_c : 0, x0 = a.alpha_pixel ? i / own_c % own_w : 0;
        const int64_t y0 = a.alpha_row ? i / own_c / own_w : 0;
        const int64_t size = images * h_count * w_count * c_count;
        for (int64_t j = lane; j < size; j += kWarps) {
            Place<int64_t> p;
            p.c = c0 + j % c_count;
            p.x = x0 + j / c_count % w_count;
            p.y = y0 + j / c_count / w_count % h_count;
            p.n = first + j / c_count / w_count / h_count;
            const float x = a.x[offset_of(v, p)];
            if (x < 0.0f) sum.add(x * a.dy[offset_of(a.view_dy, p)]);
        }
    }
    parts[lane][own] = sum.total();
    __syncthreads();
    if (lane != 0 || i >= a.alpha_size) return;
    double total = 0;
    for (int k = 0; k < kWarps; ++k) total += parts[k][own];
    a.partials[piece * a.alpha_size + i] = total;
}

}  // namespace

void softmax(const SoftmaxArgs& a, cudaStream_t stream) {
    STRIATE_LAUNCH(softmax_pixels, blocks_for(pixels(a.view_x), kWarps), kBlock, stream, a);
}
void softmax_backward(const SoftmaxGradArgs& a, cudaStream_t stream) {
    STRIATE_LAUNCH(softmax_gradients, blocks_for(pixels(a.view_y), kWarps), kBlock, stream, a);
}
void prelu_forward(const PReluArgs& a, cudaStream_t stream) {
    for_each<PRelu>(a, elements(a.view_x), stream);
}
void prelu_backward(const PReluGradArgs& a, cudaStream_t stream) {
    if (a.partials)  // before dx, which may be written over dy
        STRIATE_LAUNCH(slope_sums, static_cast<unsigned>(a.pieces * divide_up(a.alpha_size, kWarpSize)), kBlock, stream,
                       a);
    if (a.dx) for_each<PReluBackward>(a, elements(a.view_x), stream);
}

}  // namespace striate::cuda
