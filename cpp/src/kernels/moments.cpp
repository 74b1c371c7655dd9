#include "kernels/activations.hpp"
#include "kernels/args_norm.hpp"
#include "kernels/lanes.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

// Lane by lane over `count` pixels of a block: the sums of the deviations from a centre and of their squares.
void block_moments(const float* x, const int64_t* offsets, int64_t count, int64_t width, const float* centres,
                   float* sums, float* squares) {
    each_vectors<4>(width, [&](int64_t i, auto lanes, auto vectors) {
        constexpr int kVectors = decltype(vectors)::value;
        Vec centre[kVectors], sum[kVectors] = {}, square[kVectors] = {};
        for (int k = 0; k < kVectors; ++k) centre[k] = lanes.load(centres + i + k * kWidth);
        for (int64_t p = 0; p < count; ++p)
            for (int k = 0; k < kVectors; ++k) {
                const Vec deviation = lanes.load(x + offsets[p] + i + k * kWidth) - centre[k];
                sum[k] += deviation;
                square[k] += deviation * deviation;
            }
        for (int k = 0; k < kVectors; ++k) {
            lanes.store(sums + i + k * kWidth, sum[k]);
            lanes.store(squares + i + k * kWidth, square[k]);
        }
    });
}

bool finite(float value) {
    return value - value == 0.0f;
}

// Mean and squared deviations of one lane of a block, for values whose squares overflow in single precision.
void wide_moments(const float* x, const int64_t* offsets, int64_t count, double& mean, double& squares) {
    double sum = 0;
    for (int64_t p = 0; p < count; ++p) sum += x[offsets[p]];
    mean = sum / static_cast<double>(count);
    squares = 0;
    for (int64_t p = 0; p < count; ++p) {
        const double deviation = x[offsets[p]] - mean;
        squares += deviation * deviation;
    }
}

template <ActivationKind kKind, bool kShift>
STRIATE_INLINE void block_sums(const MomentsGradArgs& a, const float* mean, const float* scale, const float* shift,
                               const int64_t* x_at, const int64_t* dy_at, int64_t count, int64_t width, float* sums,
                               float* products) {
    constexpr bool kApplied = kKind != ActivationKind::linear;
    each_vectors<kApplied ? 2 : 4>(width, [&](int64_t i, auto lanes, auto vectors) {
        constexpr int kVectors = decltype(vectors)::value;
        Vec centre[kVectors], factor[kVectors] = {}, term[kVectors] = {}, total[kVectors] = {}, product[kVectors] = {};
        for (int k = 0; k < kVectors; ++k) {
            centre[k] = lanes.load(mean + i + k * kWidth);
            if (kApplied) factor[k] = lanes.load(scale + i + k * kWidth);
            if (kShift) term[k] = lanes.load(shift + i + k * kWidth);
        }
        for (int64_t p = 0; p < count; ++p)
            for (int k = 0; k < kVectors; ++k) {
                Vec g = lanes.load(a.dy + dy_at[p] + i + k * kWidth);
                const Vec centred = lanes.load(a.x + x_at[p] + i + k * kWidth) - centre[k];
                if (kApplied) g = passed_back<kKind>(g, scaled<kShift>(centred, factor[k], term[k]));
                total[k] += g;
                product[k] += g * centred;
            }
        for (int k = 0; k < kVectors; ++k) {
            lanes.store(sums + i + k * kWidth, total[k]);
            lanes.store(products + i + k * kWidth, product[k]);
        }
    });
}

// The parameters of `width` lanes, which are several narrow pixels when there are more than c of them.
STRIATE_INLINE const float* abreast(const float* values, int64_t c, bool wide, float* room) {
    if (!wide || !values) return values;
    for (int64_t i = 0; i < kWidest; ++i) room[i] = values[i % c];
    return room;
}

template <ActivationKind kKind, bool kShift>
STRIATE_INLINE void backward(const MomentsGradArgs& a, int64_t begin, int64_t end) {
    constexpr bool kApplied = kKind != ActivationKind::linear;
    const View views[] = {a.view_x, a.view_dy};
    const int64_t c = a.view_x.c, group_rows = rows(a.view_x) / a.groups;
    const bool wide = pixels_abreast(c, all_packed(views)) > 1;
    for (int64_t unit = begin; unit < end; ++unit) {
        double* sums = a.partials + unit * 2 * c;
        double* products = sums + c;
        for (int64_t i = 0; i < 2 * c; ++i) sums[i] = 0;
        const int64_t first = unit / a.pieces * group_rows, piece = unit % a.pieces;
        const int64_t own = unit / a.pieces * a.mean_stride;
        float means[kWidest], scales[kWidest], shifts[kWidest];
        const float* mean = abreast(a.mean + own, c, wide, means);
        const float* scale = kApplied ? abreast(a.scale + own, c, wide, scales) : nullptr;
        const float* shift = kShift ? abreast(a.shift, c, wide, shifts) : nullptr;
        each_block(views, first + piece_begin(group_rows, a.pieces, piece),
                   first + piece_begin(group_rows, a.pieces, piece + 1),
                   [&](const int64_t(&offsets)[2][kBlock], int64_t count, int64_t channel, int64_t width) {
                       float block_total[kWidest], block_product[kWidest];
                       block_sums<kKind, kShift>(a, mean + channel, kApplied ? scale + channel : nullptr,
                                                 kShift ? shift + channel : nullptr, offsets[0], offsets[1], count,
                                                 width, block_total, block_product);
                       for (int64_t lane = 0; lane < width; lane += c) {
                           const int64_t channels = lesser(c, width - lane);
                           for (int64_t i = 0; i < channels; ++i) {
                               sums[channel + i] += block_total[lane + i];
                               products[channel + i] += block_product[lane + i];
                           }
                       }
                   });
    }
}

}  // namespace

void moments(const MomentsArgs& a, int64_t begin, int64_t end) {
    const View views[] = {a.view_x};
    const int64_t c = a.view_x.c, group_rows = rows(a.view_x) / a.groups;
    for (int64_t unit = begin; unit < end; ++unit) {
        double* mean = a.partials + unit * 2 * c;
        double* squares = mean + c;
        for (int64_t i = 0; i < 2 * c; ++i) mean[i] = 0;
        const int64_t first = unit / a.pieces * group_rows, piece = unit % a.pieces;
        int64_t seen_from = 0;  // the channel that `seen` counts for
        double seen = 0;
        // Deviations are from the mean so far, which for the first block is its own: the distance of a later block from
        // it is part of the variance, so no digits are lost.
        float centre[kWidest];
        each_block(views, first + piece_begin(group_rows, a.pieces, piece),
                   first + piece_begin(group_rows, a.pieces, piece + 1),
                   [&](const int64_t(&offsets)[1][kBlock], int64_t count, int64_t channel, int64_t width) {
                       float sum[kWidest], square[kWidest];
                       if (channel != seen_from) seen = 0, seen_from = channel;
                       if (seen == 0) {
                           for (int64_t i = 0; i < width; ++i) centre[i] = a.x[offsets[0][0] + i];
                           block_moments(a.x, offsets[0], count, width, centre, sum, square);
                           for (int64_t i = 0; i < width; ++i) centre[i] += sum[i] / static_cast<float>(count);
                       }
                       block_moments(a.x, offsets[0], count, width, centre, sum, square);
                       const double part = 1.0 / static_cast<double>(count);
                       // Lanes of a wide pixel fold onto their channels one after the other.
                       for (int64_t lane = 0; lane < width; lane += c) {
                           const double share = count / (seen + count), weight = seen * share;
                           const int64_t channels = lesser(c, width - lane);
                           for (int64_t i = 0; i < channels; ++i) {
                               const double drift = sum[lane + i] * part;
                               double own_mean = centre[lane + i] + drift;
                               double own_squares = square[lane + i] - drift * sum[lane + i];
                               if (!finite(square[lane + i]))
                                   wide_moments(a.x + lane + i, offsets[0], count, own_mean, own_squares);
                               const double delta = own_mean - mean[channel + i];
                               mean[channel + i] += delta * share;
                               squares[channel + i] += own_squares + delta * delta * weight;
                           }
                           seen += count;
                       }
                       for (int64_t lane = 0; lane < width; lane += c)
                           for (int64_t i = 0; i < lesser(c, width - lane); ++i)
                               centre[lane + i] = static_cast<float>(mean[channel + i]);
                   });
    }
}

void moments_backward(const MomentsGradArgs& a, int64_t begin, int64_t end) {
    choose_activation(a.activation, [&](auto kind) {
        choose(!kind.linear && a.shift, [&](auto shift) { backward<kind.value, shift.value>(a, begin, end); });
    });
}

}  // namespace striate::kernels::STRIATE_ISA
