#include "kernels/args_loss.hpp"
#include "kernels/lanes.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

constexpr double kEpsilon = 1e-7;

struct Overlap {
    double both = 0, target = 0, prediction = 0;
};

Overlap overlap_of(const OverlapMergeArgs& a, int64_t n0, int64_t n1, int64_t c0, int64_t c1) {
    Overlap sum;
    for (int64_t n = n0; n < n1; ++n)
        for (int64_t piece = 0; piece < a.pieces; ++piece) {
            const double* partial = a.partials + (n * a.pieces + piece) * 3 * a.c;
            for (int64_t c = c0; c < c1; ++c) {
                sum.both += partial[c];
                sum.target += partial[a.c + c];
                sum.prediction += partial[2 * a.c + c];
            }
        }
    return sum;
}

}  // namespace

void overlap(const OverlapArgs& a, int64_t begin, int64_t end) {
    const View v = {a.n, a.pixels, 1, a.c, a.pixels * a.c,
                    a.c, a.c};  // a pixel is a row, so that pieces may cut anywhere
    const View views[] = {v};
    for (int64_t unit = begin; unit < end; ++unit) {
        double* sums = a.partials + unit * 3 * a.c;
        for (int64_t i = 0; i < 3 * a.c; ++i) sums[i] = 0;
        const int64_t first = unit / a.pieces * a.pixels, piece = unit % a.pieces;
        each_block(views, first + piece_begin(a.pixels, a.pieces, piece),
                   first + piece_begin(a.pixels, a.pieces, piece + 1),
                   [&](const int64_t(&offsets)[1][kBlock], int64_t count, int64_t channel, int64_t width) {
                       float block[3][kWidest];
                       each_vector(width, [&](int64_t i, auto lanes) {
                           Vec both = {}, target = {}, prediction = {};
                           for (int64_t k = 0; k < count; ++k) {
                               const Vec p = lanes.load(a.prediction + offsets[0][k] + i);
                               const Vec t = lanes.load(a.target + offsets[0][k] + i);
                               both += p * t;
                               target += t;
                               prediction += p;
                           }
                           lanes.store(block[0] + i, both);
                           lanes.store(block[1] + i, target);
                           lanes.store(block[2] + i, prediction);
                       });
                       for (int64_t lane = 0; lane < width; lane += a.c)
                           for (int64_t i = 0; i < lesser(a.c, width - lane); ++i)
                               for (int64_t k = 0; k < 3; ++k) sums[k * a.c + channel + i] += block[k][lane + i];
                   });
    }
}

void overlap_merge(const OverlapMergeArgs& a, int64_t, int64_t) {
    const int64_t images = a.each_image ? a.n : 1, channels = a.each_channel ? a.c : 1;
    double mean_weight = 1;
    if (a.weights && !a.each_image) {
        mean_weight = 0;
        for (int64_t n = 0; n < a.n; ++n) mean_weight += a.weights[n] / static_cast<double>(a.n);
    }
    const double share = a.loss_scale / static_cast<double>(images * channels);
    double value = 0;
    for (int64_t image = 0; image < images; ++image)
        for (int64_t channel = 0; channel < channels; ++channel) {
            const int64_t n0 = a.each_image ? image : 0, n1 = a.each_image ? image + 1 : a.n;
            const int64_t c0 = a.each_channel ? channel : 0, c1 = a.each_channel ? channel + 1 : a.c;
            const Overlap s = overlap_of(a, n0, n1, c0, c1);
            const double weight = share * (a.weights && a.each_image ? a.weights[image] : mean_weight);
            // index = both * k / divisor; its derivative is slope * (target - centre).
            double index, slope, centre;
            if (a.tversky) {
                const double rest = a.alpha * s.target + a.beta * s.prediction + kEpsilon;
                const double divisor = s.both * (1 - a.alpha - a.beta) + rest;
                index = s.both / divisor;
                slope = rest / (divisor * divisor);
                centre = s.both * a.beta / rest;
            } else {
                const double divisor = s.target + s.prediction + kEpsilon;
                index = 2 * s.both / divisor;
                slope = 2 / divisor;
                centre = s.both / divisor;
            }
            value += weight * (1 - index);
            if (!a.mean) continue;
            for (int64_t n = n0; n < n1; ++n)
                for (int64_t c = c0; c < c1; ++c) {
                    a.mean[n * a.c + c] = static_cast<float>(centre);
                    a.scale[n * a.c + c] = static_cast<float>(-weight * slope);
                }
        }
    *a.value = value;
}

}  // namespace striate::kernels::STRIATE_ISA
