#include "kernels/args_norm.hpp"
#include "kernels/lanes.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

// Lane by lane: a centre of the block, which is its mean but for rounding, and the sums of the deviations from it and
// of their squares.
void block_moments(const float* x, const int64_t* offsets, int64_t count, int64_t width, float* centres, float* sums,
                   float* squares) {
    const float share = 1.0f / static_cast<float>(count);
    each_vector(width, [&](int64_t i, auto lanes) {
        Vec even = {}, odd = {};
        int64_t p = 0;
        for (; p + 2 <= count; p += 2) {
            even += lanes.load(x + offsets[p] + i);
            odd += lanes.load(x + offsets[p + 1] + i);
        }
        if (p < count) even += lanes.load(x + offsets[p] + i);
        const Vec centre = (even + odd) * share;
        Vec sum = {};
        even = Vec{}, odd = Vec{};
        for (p = 0; p + 2 <= count; p += 2) {
            const Vec a = lanes.load(x + offsets[p] + i) - centre, b = lanes.load(x + offsets[p + 1] + i) - centre;
            sum += a + b;
            even += a * a;
            odd += b * b;
        }
        if (p < count) {
            const Vec a = lanes.load(x + offsets[p] + i) - centre;
            sum += a;
            even += a * a;
        }
        lanes.store(centres + i, centre);
        lanes.store(sums + i, sum);
        lanes.store(squares + i, even + odd);
    });
}

void block_sums(const MomentsGradArgs& a, const float* channel_mean, const int64_t* x_at, const int64_t* dy_at,
                const int64_t* y_at, int64_t count, int64_t width, float* sums, float* products) {
    each_vector(width, [&](int64_t i, auto lanes) {
        const Vec centre = lanes.load(channel_mean + i);
        Vec total = {}, product = {};
        for (int64_t p = 0; p < count; ++p) {
            Vec g = lanes.load(a.dy + dy_at[p] + i);
            if (a.relu) g = select(lanes.load(a.y + y_at[p] + i) <= 0.0f, Vec{}, g);
            total += g;
            product += g * (lanes.load(a.x + x_at[p] + i) - centre);
        }
        lanes.store(sums + i, total);
        lanes.store(products + i, product);
    });
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
        each_block(views, first + piece_begin(group_rows, a.pieces, piece),
                   first + piece_begin(group_rows, a.pieces, piece + 1),
                   [&](const int64_t(&offsets)[1][kBlock], int64_t count, int64_t channel, int64_t width) {
                       float centre[kWidest], sum[kWidest], square[kWidest];
                       block_moments(a.x, offsets[0], count, width, centre, sum, square);
                       const double part = 1.0 / static_cast<double>(count);
                       if (channel != seen_from) seen = 0, seen_from = channel;
                       // Lanes of a wide pixel fold onto their channels one after the other.
                       for (int64_t lane = 0; lane < width; lane += c) {
                           const double share = count / (seen + count), weight = seen * share;
                           const int64_t channels = lesser(c, width - lane);
                           for (int64_t i = 0; i < channels; ++i) {
                               const double drift = sum[lane + i] * part;
                               const double delta = centre[lane + i] + drift - mean[channel + i];
                               mean[channel + i] += delta * share;
                               squares[channel + i] +=
                                   square[lane + i] - drift * sum[lane + i] + delta * delta * weight;
                           }
                           seen += count;
                       }
                   });
    }
}

void moments_backward(const MomentsGradArgs& a, int64_t begin, int64_t end) {
    const View views[] = {a.view_x, a.view_dy, a.relu ? a.view_y : a.view_dy};
    const int64_t c = a.view_x.c, group_rows = rows(a.view_x) / a.groups;
    for (int64_t unit = begin; unit < end; ++unit) {
        double* sums = a.partials + unit * 2 * c;
        double* products = sums + c;
        for (int64_t i = 0; i < 2 * c; ++i) sums[i] = 0;
        const int64_t first = unit / a.pieces * group_rows, piece = unit % a.pieces;
        const float* mean = a.mean + unit / a.pieces * a.mean_stride;
        float repeated[kWidest];
        const bool wide = pixels_abreast(c, all_packed(views)) > 1;
        if (wide)
            for (int64_t i = 0; i < kWidest; ++i) repeated[i] = mean[i % c];
        each_block(views, first + piece_begin(group_rows, a.pieces, piece),
                   first + piece_begin(group_rows, a.pieces, piece + 1),
                   [&](const int64_t(&offsets)[3][kBlock], int64_t count, int64_t channel, int64_t width) {
                       float block_total[kWidest], block_product[kWidest];
                       block_sums(a, wide ? repeated : mean + channel, offsets[0], offsets[1], offsets[2], count, width,
                                  block_total, block_product);
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

}  // namespace striate::kernels::STRIATE_ISA
