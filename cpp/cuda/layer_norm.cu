// Layer normalisation: a warp a row of few numbers, or a block a row of many.
#include "device.cuh"

namespace striate::cuda {
namespace {

constexpr int kWarps = kBlock / kWarpSize;
constexpr int64_t kWarpRow = 1024;  // numbers of a row that a warp does

// The threads that work on a row together.
struct Warp {
    static constexpr int kThreads = kWarpSize, kPerBlock = kWarps;
    static STRIATE_DEVICE double sum(double value) { return warp_sum(value); }
};
struct Block {
    static constexpr int kThreads = kBlock, kPerBlock = 1;
    static STRIATE_DEVICE double sum(double value) { return block_sum(value); }
};

// Number i of a row: axes 1 is (c), 2 is (w, c), 3 is (h, w, c).
template <class Args>
STRIATE_DEVICE Place<int64_t> place_in(const Args& a, int64_t row, int64_t i) {
    const View& v = a.view_x;
    Place<int64_t> p;
    p.c = i % v.c;
    p.x = a.axes == 1 ? row % v.w : i / v.c % v.w;
    p.y = a.axes == 1 ? row / v.w % v.h : a.axes == 2 ? row % v.h : i / v.c / v.w;
    p.n = a.axes == 1 ? row / v.w / v.h : a.axes == 2 ? row / v.h : row;
    return p;
}

// body(row, first thread's number); all threads of a team come to it.
template <class Team, class Body>
STRIATE_DEVICE void each_row(int64_t begin, int64_t end, int64_t first, int64_t step, Body body) {
    for (int64_t row = begin + first; row < end; row += step) body(row, threadIdx.x % Team::kThreads);
}

template <class Team>
__global__ void __launch_bounds__(kBlock) normalise(const LayerNormArgs a) {
    const int64_t size = normalised_size(a.view_x, a.axes), count = normalised_rows(a.view_x, a.axes);
    const auto numbers = static_cast<double>(size);
    const int64_t first = int64_t{blockIdx.x} * Team::kPerBlock + threadIdx.x / Team::kThreads;
    each_row<Team>(0, count, first, int64_t{gridDim.x} * Team::kPerBlock, [&](int64_t row, int64_t thread) {
        LongSum sum;
        for (int64_t i = thread; i < size; i += Team::kThreads) sum.add(a.x[offset_of(a.view_x, place_in(a, row, i))]);
        double total = Team::sum(sum.total());
        auto mean = static_cast<float>(total / numbers);
        LongSum square;
        for (int64_t i = thread; i < size; i += Team::kThreads) {
            const float d = a.x[offset_of(a.view_x, place_in(a, row, i))] - mean;
            square.add(d * d);
        }
        double squares = Team::sum(square.total());
        if (!(squares - squares == 0)) {  // overflow in single precision
            double part = 0;
            for (int64_t i = thread; i < size; i += Team::kThreads)
                part += a.x[offset_of(a.view_x, place_in(a, row, i))];
            total = Team::sum(part);
            part = 0;
            for (int64_t i = thread; i < size; i += Team::kThreads) {
                const double d = a.x[offset_of(a.view_x, place_in(a, row, i))] - total / numbers;
                part += d * d;
            }
            squares = Team::sum(part);
            mean = static_cast<float>(total / numbers);
        }
        const auto inverse = static_cast<float>(1.0 / sqrt(squares / numbers + a.epsilon));
        if (thread == 0 && a.mean) a.mean[row] = mean;
        if (thread == 0 && a.inverse_std) a.inverse_std[row] = inverse;
        for (int64_t i = thread; i < size; i += Team::kThreads) {
            const Place<int64_t> p = place_in(a, row, i);
            float v = (a.x[offset_of(a.view_x, p)] - mean) * inverse;
            if (a.gamma) v = v * a.gamma[i];
            if (a.beta) v = v + a.beta[i];
            a.y[offset_of(a.view_y, p)] = v;
        }
    });
}

template <class Team>
__global__ void __launch_bounds__(kBlock) normalise_backward(const LayerNormGradArgs a) {
    const int64_t size = normalised_size(a.view_x, a.axes), count = normalised_rows(a.view_x, a.axes);
    const auto numbers = static_cast<double>(size);
    const int64_t first = int64_t{blockIdx.x} * Team::kPerBlock + threadIdx.x / Team::kThreads;
    each_row<Team>(0, count, first, int64_t{gridDim.x} * Team::kPerBlock, [&](int64_t row, int64_t thread) {
        const float mean = a.mean[row], inverse = a.inverse_std[row];
        LongSum sum, product;
        for (int64_t i = thread; i < size; i += Team::kThreads) {
            const Place<int64_t> p = place_in(a, row, i);
            float g = a.dy[offset_of(a.view_dy, p)];
            if (a.gamma) g = g * a.gamma[i];
            sum.add(g);
            product.add(g * ((a.x[offset_of(a.view_x, p)] - mean) * inverse));
        }
        const auto offset = static_cast<float>(Team::sum(sum.total()) / numbers);
        const auto slope = static_cast<float>(Team::sum(product.total()) / numbers);
        for (int64_t i = thread; i < size; i += Team::kThreads) {
            const Place<int64_t> p = place_in(a, row, i);
            float g = a.dy[offset_of(a.view_dy, p)];
            if (a.gamma) g = g * a.gamma[i];
            const float normal = (a.x[offset_of(a.view_x, p)] - mean) * inverse;
            a.dx[offset_of(a.view_dx, p)] = (g - offset - normal * slope) * inverse;
        }
    });
}

// Block (piece, 32 places of a row): eight threads for a place look at every eighth row of the piece.
__global__ void __launch_bounds__(kBlock) parameter_sums(const LayerNormGradArgs a) {
    using Parts = double[2][kWarps][kWarpSize];
    STRIATE_SHARED(Parts, parts);
    const int lane = threadIdx.x / kWarpSize, own = threadIdx.x % kWarpSize;
    const int64_t size = normalised_size(a.view_x, a.axes), count = normalised_rows(a.view_x, a.axes);
    const int64_t chunks = divide_up(size, kWarpSize), piece = blockIdx.x / chunks;
    const int64_t i = blockIdx.x % chunks * kWarpSize + own;
    LongSum product, sum;
    if (i < size) {
        const int64_t end = piece_begin(count, a.pieces, piece + 1);
        for (int64_t row = piece_begin(count, a.pieces, piece) + lane; row < end; row += kWarps) {
            const Place<int64_t> p = place_in(a, row, i);
            const float dy = a.dy[offset_of(a.view_dy, p)];
            product.add(dy * ((a.x[offset_of(a.view_x, p)] - a.mean[row]) * a.inverse_std[row]));
            sum.add(dy);
        }
    }
    parts[0][lane][own] = product.total();
    parts[1][lane][own] = sum.total();
    __syncthreads();
    if (lane > 1 || i >= size) return;
    double total = 0;
    for (int k = 0; k < kWarps; ++k) total += parts[lane][k][own];
    a.partials[(piece * 2 + lane) * size + i] = total;
}

}  // namespace

void layer_norm(const LayerNormArgs& a, cudaStream_t stream) {
    const int64_t count = normalised_rows(a.view_x, a.axes);
    if (normalised_size(a.view_x, a.axes) <= kWarpRow) {
        const auto kernel = &normalise<Warp>;
        STRIATE_LAUNCH(kernel, blocks_for(count, kWarps), kBlock, stream, a);
    } else {
        const auto kernel = &normalise<Block>;
        STRIATE_LAUNCH(kernel, blocks_for(count, 1), kBlock, stream, a);
    }
}

void layer_norm_backward(const LayerNormGradArgs& a, cudaStream_t stream) {
    const int64_t size = normalised_size(a.view_x, a.axes), count = normalised_rows(a.view_x, a.axes);
    if (a.partials)  // before dx, which may be written over dy
        STRIATE_LAUNCH(parameter_sums, static_cast<unsigned>(a.pieces * divide_up(size, kWarpSize)), kBlock, stream, a);
    if (!a.dx) return;
    if (size <= kWarpRow) {
        const auto kernel = &normalise_backward<Warp>;
        STRIATE_LAUNCH(kernel, blocks_for(count, kWarps), kBlock, stream, a);
    } else {
        const auto kernel = &normalise_backward<Block>;
        STRIATE_LAUNCH(kernel, blocks_for(count, 1), kBlock, stream, a);
    }
}

}  // namespace striate::cuda
