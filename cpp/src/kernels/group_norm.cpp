#include "kernels/args_norm.hpp"
#include "kernels/lanes.hpp"

namespace striate::kernels::STRIATE_ISA {

void group_norm_merge(const GroupNormMergeArgs& a, int64_t begin, int64_t end) {
    const int64_t channels = a.c / a.groups;
    for (int64_t image = begin; image < end; ++image)
        for (int64_t group = 0; group < a.groups; ++group) {
            double mean = 0, squares = 0, seen = 0;
            for (int64_t piece = 0; piece < a.pieces; ++piece) {
                const int64_t lines = piece_begin(a.rows, a.pieces, piece + 1) - piece_begin(a.rows, a.pieces, piece);
                const double count = static_cast<double>(lines * a.row_pixels);
                if (count == 0) continue;
                const double* partial = a.partials + (image * a.pieces + piece) * 2 * a.c + group * channels;
                for (int64_t i = 0; i < channels; ++i) {
                    const double delta = partial[i] - mean, share = count / (seen + count);
                    mean += delta * share;
                    squares += partial[a.c + i] + delta * delta * seen * share;
                    seen += count;
                }
            }
            const double inverse = 1.0 / __builtin_sqrt(squares / seen + a.epsilon);
            for (int64_t i = 0; i < channels; ++i) {
                const int64_t c = group * channels + i, place = image * a.c + c;
                a.mean[place] = static_cast<float>(mean);
                a.inverse_std[place] = static_cast<float>(inverse);
                a.scale[place] = static_cast<float>(inverse * (a.gamma ? a.gamma[c] : 1.0f));
            }
        }
}

void group_norm_backward_merge(const GroupNormGradMergeArgs& a, int64_t begin, int64_t end) {
    const int64_t channels = a.c / a.groups;
    for (int64_t image = begin; image < end; ++image)
        for (int64_t group = 0; group < a.groups; ++group) {
            double sum = 0, product = 0;
            for (int64_t piece = 0; piece < a.pieces; ++piece) {
                const double* partial = a.partials + (image * a.pieces + piece) * 2 * a.c;
                for (int64_t c = group * channels; c < (group + 1) * channels; ++c) {
                    const double gamma = a.gamma ? a.gamma[c] : 1.0f;
                    sum += gamma * partial[c];
                    product += gamma * partial[a.c + c];
                }
            }
            const int64_t place = image * a.c + group * channels;
            const double inverse = a.inverse_std[place], size = a.pixels * static_cast<double>(channels);
            for (int64_t i = 0; i < channels; ++i) {
                a.slope[place + i] = static_cast<float>(-inverse * inverse * inverse * product / size);
                a.offset[place + i] = static_cast<float>(-inverse * sum / size);
            }
        }
}

void group_norm_parameter_gradients(const GroupNormParameterGradArgs& a, int64_t begin, int64_t end) {
    const int64_t last = lesser(a.c, end * kMergeChunk);
    for (int64_t c = begin * kMergeChunk; c < last; ++c) {
        double sum = 0, product = 0;
        for (int64_t image = 0; image < a.n; ++image)
            for (int64_t piece = 0; piece < a.pieces; ++piece) {
                const double* partial = a.partials + (image * a.pieces + piece) * 2 * a.c;
                sum += partial[c];
                product += partial[a.c + c] * a.inverse_std[image * a.c + c];
            }
        if (a.d_beta) a.d_beta[c] = static_cast<float>(sum);
        if (a.d_gamma) a.d_gamma[c] = static_cast<float>(product);
    }
}

}  // namespace striate::kernels::STRIATE_ISA
