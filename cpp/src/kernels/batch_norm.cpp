#include "kernels/args_norm.hpp"
#include "kernels/lanes.hpp"

namespace striate::kernels::STRIATE_ISA {

void batch_norm_merge(const BatchNormMergeArgs& a, int64_t begin, int64_t end) {
    for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t first = unit * kMergeChunk, width = lesser(kMergeChunk, a.c - first);
        double mean[kMergeChunk] = {}, squares[kMergeChunk] = {};
        double seen = 0;
        for (int64_t piece = 0; piece < a.pieces; ++piece) {
            const int64_t even =
                (piece_begin(a.rows, a.pieces, piece + 1) - piece_begin(a.rows, a.pieces, piece)) * a.row_pixels;
            const double count = static_cast<double>(a.counts ? a.counts[piece] : even);
            if (count == 0) continue;
            const double* partial = a.partials + piece * 2 * a.c + first;
            const double share = count / (seen + count), weight = seen * share;
            for (int64_t i = 0; i < width; ++i) {
                const double delta = partial[i] - mean[i];
                mean[i] += delta * share;
                squares[i] += partial[a.c + i] + delta * delta * weight;
            }
            seen += count;
        }
        for (int64_t i = 0; i < width; ++i) {
            const int64_t c = first + i;
            const double variance = squares[i] / seen;
            const double inverse = 1.0 / __builtin_sqrt(variance + a.epsilon);
            a.mean[c] = static_cast<float>(mean[i]);
            a.inverse_std[c] = static_cast<float>(inverse);
            a.scale[c] = static_cast<float>(inverse * (a.gamma ? a.gamma[c] : 1.0f));
            if (!a.moving_mean) continue;
            const double keep = a.momentum;
            a.moving_mean[c] = static_cast<float>(a.moving_mean[c] * keep + mean[i] * (1 - keep));
            const double kept = a.unbiased && seen > 1 ? squares[i] / (seen - 1) : variance;
            a.moving_variance[c] = static_cast<float>(a.moving_variance[c] * keep + kept * (1 - keep));
        }
    }
}

void batch_norm_fixed(const BatchNormFixedArgs& a, int64_t begin, int64_t end) {
    const int64_t last = lesser(a.c, end * kMergeChunk);
    for (int64_t c = begin * kMergeChunk; c < last; ++c) {
        const double variance = a.moving_variance[c];
        // A variance that was too large to store gives NaN: with 0, outputs would be wrong without a sign of it.
        const double inverse = (variance - variance + 1.0) / __builtin_sqrt(variance + a.epsilon);
        a.inverse_std[c] = static_cast<float>(inverse);
        a.scale[c] = static_cast<float>(inverse * (a.gamma ? a.gamma[c] : 1.0f));
    }
}

void batch_norm_backward_merge(const BatchNormGradMergeArgs& a, int64_t begin, int64_t end) {
    const int64_t last = lesser(a.c, end * kMergeChunk);
    for (int64_t c = begin * kMergeChunk; c < last; ++c) {
        double sum = 0, product = 0;
        for (int64_t piece = 0; piece < a.pieces; ++piece) {
            sum += a.partials[piece * 2 * a.c + c];
            product += a.partials[piece * 2 * a.c + a.c + c];
        }
        const double inverse = a.inverse_std[c];
        if (a.d_beta) a.d_beta[c] = static_cast<float>(sum);
        if (a.d_gamma) a.d_gamma[c] = static_cast<float>(product * inverse);
        if (!a.slope) continue;
        a.slope[c] = static_cast<float>(-a.scale[c] * inverse * inverse * product / a.pixels);
        a.offset[c] = static_cast<float>(-a.scale[c] * sum / a.pixels);
    }
}

}  // namespace striate::kernels::STRIATE_ISA
