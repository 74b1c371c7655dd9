// Batch and group normalisation: statistics of channels in pieces, joined in double precision.
#include "device.cuh"

namespace striate::cuda {
namespace {

constexpr int kLanes = kBlock / kWarpSize;
constexpr int kAtOnce = 16;  // pixels that a thread looks at twice

// The number, mean and sum of squared deviations of some numbers (Chan, Golub, LeVeque, 1979).
struct Spread {
    double count = 0, mean = 0, squares = 0;
    STRIATE_DEVICE void join(double n, double m, double s) {
        if (n == 0) return;
        const double share = n / (count + n), delta = m - mean;
        mean += delta * share;
        squares += s + delta * delta * count * share;
        count += n;
    }
};

// The pixels of a piece of a group: the rows of an image, or of all of them, are split evenly.
struct Pixels {
    int64_t begin, end;
};
template <class Args>
STRIATE_DEVICE Pixels pixels_of(const Args& a, int64_t unit) {
    const int64_t group_rows = rows(a.view_x) / a.groups, first = unit / a.pieces * group_rows;
    const int64_t piece = unit % a.pieces;
    return {(first + piece_begin(group_rows, a.pieces, piece)) * a.view_x.w,
            (first + piece_begin(group_rows, a.pieces, piece + 1)) * a.view_x.w};
}

// Block (unit, 32 channels): eight threads for a channel look at every eighth pixel.
__global__ void __launch_bounds__(kBlock) spread_channels(const MomentsArgs a) {
    struct Part {
        double count, mean, squares;
    };
    using Parts = Part[kLanes][kWarpSize];
    STRIATE_SHARED(Parts, parts);
    const View& v = a.view_x;
    const int lane = threadIdx.x / kWarpSize, own = threadIdx.x % kWarpSize;
    const int64_t chunks = divide_up(v.c, kWarpSize), unit = blockIdx.x / chunks;
    const int64_t c = blockIdx.x % chunks * kWarpSize + own;
    Spread all;
    if (c < v.c) {
        const Pixels p = pixels_of(a, unit);
        PixelWalk walk(v, p.begin + lane);
        for (int64_t first = p.begin + lane; first < p.end; first += kAtOnce * kLanes) {
            float x[kAtOnce];
            int count = 0;
            float sum = 0;
#pragma unroll
            for (int i = 0; i < kAtOnce; ++i) {
                const int64_t pixel = first + i * kLanes;
                x[i] = 0;
                if (pixel >= p.end) continue;
                x[i] = a.x[walk.offset() + c];
                walk.step(kLanes);
                sum += x[i];
                ++count;
            }
            // About a mean that is rounded; how far it is off is part of the result.
            const float centre = sum / static_cast<float>(count);
            float drift = 0, square = 0;
#pragma unroll
            for (int i = 0; i < kAtOnce; ++i) {
                const float d = i < count ? x[i] - centre : 0.0f;
                drift += d;
                square += d * d;
            }
            double mean = static_cast<double>(centre) + static_cast<double>(drift) / count;
            double squares = square - static_cast<double>(drift) * drift / count;
            if (!(square - square == 0.0f)) {  // overflow in single precision
                mean = squares = 0;
                for (int i = 0; i < count; ++i) mean += x[i];
                mean /= count;
                for (int i = 0; i < count; ++i) squares += (x[i] - mean) * (x[i] - mean);
            }
            all.join(count, mean, squares);
        }
    }
    parts[lane][own] = {all.count, all.mean, all.squares};
    __syncthreads();
    if (lane != 0 || c >= v.c) return;
    for (int k = 1; k < kLanes; ++k) all.join(parts[k][own].count, parts[k][own].mean, parts[k][own].squares);
    a.partials[unit * 2 * v.c + c] = all.mean;
    a.partials[unit * 2 * v.c + v.c + c] = all.squares;
}

__global__ void __launch_bounds__(kBlock) gradient_sums(const MomentsGradArgs a) {
    using Parts = double[2][kLanes][kWarpSize];
    STRIATE_SHARED(Parts, parts);
    const View& v = a.view_x;
    const int lane = threadIdx.x / kWarpSize, own = threadIdx.x % kWarpSize;
    const int64_t chunks = divide_up(v.c, kWarpSize), unit = blockIdx.x / chunks;
    const int64_t c = blockIdx.x % chunks * kWarpSize + own;
    LongSum sum, product;
    if (c < v.c) {
        const int64_t at = unit / a.pieces * a.mean_stride + c;
        const bool relu = a.activation == ActivationKind::relu;
        const float mean = a.mean[at], scale = relu ? a.scale[at] : 0.0f;
        const float shift = relu && a.shift ? a.shift[c] : 0.0f;
        const Pixels p = pixels_of(a, unit);
        PixelWalk of_x(v, p.begin + lane), of_dy(a.view_dy, p.begin + lane);
        for (int64_t pixel = p.begin + lane; pixel < p.end; pixel += kLanes) {
            float g = a.dy[of_dy.offset() + c];
            const float centred = a.x[of_x.offset() + c] - mean;
            of_x.step(kLanes);
            of_dy.step(kLanes);
            if (relu && centred * scale + shift <= 0.0f) g = 0.0f;
            sum.add(g);
            product.add(g * centred);
        }
    }
    parts[0][lane][own] = sum.total();
    parts[1][lane][own] = product.total();
    __syncthreads();
    if (lane > 1 || c >= v.c) return;
    double total = 0;
    for (int k = 0; k < kLanes; ++k) total += parts[lane][k][own];
    a.partials[unit * 2 * v.c + lane * v.c + c] = total;
}

struct BatchNormMerge {
    template <class I>
    static STRIATE_DEVICE void at(const BatchNormMergeArgs& a, I c) {
        Spread all;
        for (int64_t piece = 0; piece < a.pieces; ++piece) {
            const int64_t even =
                (piece_begin(a.rows, a.pieces, piece + 1) - piece_begin(a.rows, a.pieces, piece)) * a.row_pixels;
            const double* const partial = a.partials + piece * 2 * a.c + c;
            all.join(static_cast<double>(a.counts ? a.counts[piece] : even), partial[0], partial[a.c]);
        }
        const double variance = all.squares / all.count;
        const double inverse = 1.0 / sqrt(variance + a.epsilon);
        a.mean[c] = static_cast<float>(all.mean);
        a.inverse_std[c] = static_cast<float>(inverse);
        a.scale[c] = static_cast<float>(inverse * (a.gamma ? a.gamma[c] : 1.0f));
        if (!a.moving_mean) return;
        const double keep = a.momentum;
        a.moving_mean[c] = static_cast<float>(a.moving_mean[c] * keep + all.mean * (1 - keep));
        const double kept = a.unbiased && all.count > 1 ? all.squares / (all.count - 1) : variance;
        a.moving_variance[c] = static_cast<float>(a.moving_variance[c] * keep + kept * (1 - keep));
    }
};

struct BatchNormFixed {
    template <class I>
    static STRIATE_DEVICE void at(const BatchNormFixedArgs& a, I c) {
        const double variance = a.moving_variance[c];
        // A variance that was too large to store gives NaN: with 0, outputs would be wrong without a sign of it.
        const double inverse = (variance - variance + 1.0) / sqrt(variance + a.epsilon);
        a.inverse_std[c] = static_cast<float>(inverse);
        a.scale[c] = static_cast<float>(inverse * (a.gamma ? a.gamma[c] : 1.0f));
    }
};

struct BatchNormBackwardMerge {
    template <class I>
    static STRIATE_DEVICE void at(const BatchNormGradMergeArgs& a, I c) {
        double sum = 0, product = 0;
        for (int64_t piece = 0; piece < a.pieces; ++piece) {
            sum += a.partials[piece * 2 * a.c + c];
            product += a.partials[piece * 2 * a.c + a.c + c];
        }
        const double inverse = a.inverse_std[c];
        if (a.d_beta) a.d_beta[c] = static_cast<float>(sum);
        if (a.d_gamma) a.d_gamma[c] = static_cast<float>(product * inverse);
        if (!a.slope) return;
        a.slope[c] = static_cast<float>(-a.scale[c] * inverse * inverse * product / a.pixels);
        a.offset[c] = static_cast<float>(-a.scale[c] * sum / a.pixels);
    }
};

// For i = a group of an image.
struct GroupNormMerge {
    template <class I>
    static STRIATE_DEVICE void at(const GroupNormMergeArgs& a, I i) {
        const int64_t channels = a.c / a.groups, image = i / a.groups, group = i % a.groups;
        Spread all;
        for (int64_t piece = 0; piece < a.pieces; ++piece) {
            const int64_t lines = piece_begin(a.rows, a.pieces, piece + 1) - piece_begin(a.rows, a.pieces, piece);
            const double* const partial = a.partials + (image * a.pieces + piece) * 2 * a.c + group * channels;
            for (int64_t k = 0; k < channels; ++k)
                all.join(static_cast<double>(lines * a.row_pixels), partial[k], partial[a.c + k]);
        }
        const double inverse = 1.0 / sqrt(all.squares / all.count + a.epsilon);
        for (int64_t k = 0; k < channels; ++k) {
            const int64_t c = group * channels + k, place = image * a.c + c;
            a.mean[place] = static_cast<float>(all.mean);
            a.inverse_std[place] = static_cast<float>(inverse);
            a.scale[place] = static_cast<float>(inverse * (a.gamma ? a.gamma[c] : 1.0f));
        }
    }
};

struct GroupNormBackwardMerge {
    template <class I>
    static STRIATE_DEVICE void at(const GroupNormGradMergeArgs& a, I i) {
        const int64_t channels = a.c / a.groups, image = i / a.groups, group = i % a.groups;
        double sum = 0, product = 0;
        for (int64_t piece = 0; piece < a.pieces; ++piece) {
            const double* const partial = a.partials + (image * a.pieces + piece) * 2 * a.c;
            for (int64_t c = group * channels; c < (group + 1) * channels; ++c) {
                const double gamma = a.gamma ? a.gamma[c] : 1.0f;
                sum += gamma * partial[c];
                product += gamma * partial[a.c + c];
            }
        }
        const int64_t place = image * a.c + group * channels;
        const double inverse = a.inverse_std[place], size = a.pixels * static_cast<double>(channels);
        for (int64_t k = 0; k < channels; ++k) {
            a.slope[place + k] = static_cast<float>(-inverse * inverse * inverse * product / size);
            a.offset[place + k] = static_cast<float>(-inverse * sum / size);
        }
    }
};

struct GroupNormParameters {
    template <class I>
    static STRIATE_DEVICE void at(const GroupNormParameterGradArgs& a, I c) {
        double sum = 0, product = 0;
        for (int64_t image = 0; image < a.n; ++image)
            for (int64_t piece = 0; piece < a.pieces; ++piece) {
                const double* const partial = a.partials + (image * a.pieces + piece) * 2 * a.c;
                sum += partial[c];
                product += partial[a.c + c] * a.inverse_std[image * a.c + c];
            }
        if (a.d_beta) a.d_beta[c] = static_cast<float>(sum);
        if (a.d_gamma) a.d_gamma[c] = static_cast<float>(product);
    }
};

struct AffinePool {
    template <class I>
    static STRIATE_DEVICE void at(const AffinePoolArgs& a, I i) {
        const Place<I> p = place_of(a.view_y, i);
        const View& v = a.view_x;
        const float mean = a.mean[p.c], scale = a.scale[p.c], shift = a.shift ? a.shift[p.c] : 0.0f;
        const float* const x = a.x + p.n * v.image + 2 * p.y * v.row + 2 * p.x * v.pixel + p.c;
        float chosen = x[0], best = (chosen - mean) * scale + shift;
        int winner = 0;
        for (int place = 1; place < 4; ++place) {
            const float from = x[place / 2 * v.row + place % 2 * v.pixel], value = (from - mean) * scale + shift;
            if (value <= best || best != best) continue;
            best = value, chosen = from, winner = place;
        }
        a.y[offset_of(a.view_y, p)] = a.relu ? relu_of(best) : best;
        if (a.places) a.places[i] = static_cast<uint8_t>(a.relu && best <= 0.0f ? kNoPlace : winner);
        if (a.chosen) a.chosen[i] = chosen;
    }
};

struct AffinePoolBackward {
    template <class I>
    static STRIATE_DEVICE void at(const AffinePoolGradArgs& a, I i) {
        const Place<I> p = place_of(a.view_dx, i);
        const View& o = a.view_dy;
        const int64_t y = p.y / 2, x = p.x / 2;
        float dx = 0;
        if (y < o.h && x < o.w) {
            const auto place = static_cast<int>(p.y % 2 * 2 + p.x % 2);
            if (a.places[((p.n * o.h + y) * o.w + x) * o.c + p.c] == place)
                dx = a.dy[p.n * o.image + y * o.row + x * o.pixel + p.c] * a.scale[p.c];
        }
        if (a.slope) dx = dx + (a.x[offset_of(a.view_x, p)] - a.mean[p.c]) * a.slope[p.c] + a.offset[p.c];
        a.dx[offset_of(a.view_dx, p)] = dx;
    }
};

template <class Args>
unsigned unit_blocks(const Args& a) {
    return static_cast<unsigned>(a.groups * a.pieces * divide_up(a.view_x.c, kWarpSize));
}

}  // namespace

void moments(const MomentsArgs& a, cudaStream_t stream) {
    STRIATE_LAUNCH(spread_channels, unit_blocks(a), kBlock, stream, a);
}
void moments_backward(const MomentsGradArgs& a, cudaStream_t stream) {
    STRIATE_LAUNCH(gradient_sums, unit_blocks(a), kBlock, stream, a);
}
void batch_norm_merge(const BatchNormMergeArgs& a, cudaStream_t stream) {
    for_each<BatchNormMerge>(a, a.c, stream);
}
void batch_norm_fixed(const BatchNormFixedArgs& a, cudaStream_t stream) {
    for_each<BatchNormFixed>(a, a.c, stream);
}
void batch_norm_backward_merge(const BatchNormGradMergeArgs& a, cudaStream_t stream) {
    for_each<BatchNormBackwardMerge>(a, a.c, stream);
}
void affine_pool(const AffinePoolArgs& a, cudaStream_t stream) {
    for_each<AffinePool>(a, elements(a.view_y), stream);
}
void affine_pool_backward(const AffinePoolGradArgs& a, cudaStream_t stream) {
    for_each<AffinePoolBackward>(a, elements(a.view_dx), stream);
}
void group_norm_merge(const GroupNormMergeArgs& a, cudaStream_t stream) {
    for_each<GroupNormMerge>(a, a.n * a.groups, stream);
}
void group_norm_backward_merge(const GroupNormGradMergeArgs& a, cudaStream_t stream) {
    for_each<GroupNormBackwardMerge>(a, a.n * a.groups, stream);
}
void group_norm_parameter_gradients(const GroupNormParameterGradArgs& a, cudaStream_t stream) {
    for_each<GroupNormParameters>(a, a.c, stream);
}

}  // namespace striate::cuda
