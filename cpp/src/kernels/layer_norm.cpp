#include "kernels/args_norm.hpp"
#include "kernels/lanes.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

constexpr int64_t kBlockRows = 32;  // whose parameter gradients are gathered in floats before they join the doubles

// The runs of normalised row `row`: f(offsets, first, length), where `first` is the run's place in gamma and beta.
template <int K, class F>
STRIATE_INLINE void each_run_of_row(const View (&views)[K], int axes, int64_t row, F f) {
    const View& v = views[0];
    const bool whole_rows = axes > 1 && all_packed(views);
    const int64_t lines = axes > 2 ? v.h : 1, runs = axes > 1 && !whole_rows ? v.w : 1;
    const int64_t length = whole_rows ? v.w * v.c : v.c;
    const int64_t x = axes == 1 ? row % v.w : 0;
    const int64_t y = axes == 1 ? row / v.w % v.h : axes == 2 ? row % v.h : 0;
    const int64_t n = axes == 1 ? row / v.w / v.h : axes == 2 ? row / v.h : row;
    int64_t first = 0;
    for (int64_t line = 0; line < lines; ++line)
        for (int64_t run = 0; run < runs; ++run) {
            int64_t offsets[K];
            for (int k = 0; k < K; ++k)
                offsets[k] = n * views[k].image + (y + line) * views[k].row + (x + run) * views[k].pixel;
            f(offsets, first, length);
            first += length;
        }
}

// Sums of f(i, lanes) over a run, from short sums in floats.
template <class F>
STRIATE_INLINE double sum_of(int64_t count, F f) {
    double total = 0;
    for (int64_t from = 0; from < count; from += 1024) {
        Vec part = {};
        each_vector(lesser(1024, count - from),
                    [&](int64_t i, auto lanes) { part += lanes.keep(f(from + i, lanes), Vec{}); });
        total += sum(part);
    }
    return total;
}

}  // namespace

void layer_norm(const LayerNormArgs& a, int64_t begin, int64_t end) {
    const View views[] = {a.view_x, a.view_y};
    const int64_t size = normalised_size(a.view_x, a.axes), per_unit = normalised_per_unit(a.view_x, a.axes);
    const int64_t last = lesser(normalised_rows(a.view_x, a.axes), end * per_unit);
    for (int64_t row = begin * per_unit; row < last; ++row) {
        double total = 0, squares = 0;
        each_run_of_row(views, a.axes, row, [&](const int64_t* offsets, int64_t, int64_t length) {
            const float* x = a.x + offsets[0];
            total += sum_of(length, [&](int64_t i, auto lanes) { return lanes.load(x + i); });
        });
        float mean = static_cast<float>(total / size);
        each_run_of_row(views, a.axes, row, [&](const int64_t* offsets, int64_t, int64_t length) {
            const float* x = a.x + offsets[0];
            squares += sum_of(length, [&](int64_t i, auto lanes) {
                const Vec d = lanes.load(x + i) - mean;
                return d * d;
            });
        });
        if (!(squares - squares == 0)) {  // overflow in single precision
            total = squares = 0;
            each_run_of_row(views, a.axes, row, [&](const int64_t* offsets, int64_t, int64_t length) {
                for (int64_t i = 0; i < length; ++i) total += a.x[offsets[0] + i];
            });
            each_run_of_row(views, a.axes, row, [&](const int64_t* offsets, int64_t, int64_t length) {
                for (int64_t i = 0; i < length; ++i) {
                    const double d = a.x[offsets[0] + i] - total / size;
                    squares += d * d;
                }
            });
            mean = static_cast<float>(total / size);
        }
        const float inverse = static_cast<float>(1.0 / __builtin_sqrt(squares / size + a.epsilon));
        if (a.mean) a.mean[row] = mean;
        if (a.inverse_std) a.inverse_std[row] = inverse;
        each_run_of_row(views, a.axes, row, [&](const int64_t* offsets, int64_t first, int64_t length) {
            const float* x = a.x + offsets[0];
            float* y = a.y + offsets[1];
            each_vector(length, [&](int64_t i, auto lanes) {
                Vec v = (lanes.load(x + i) - mean) * inverse;
                if (a.gamma) v = v * lanes.load(a.gamma + first + i);
                if (a.beta) v = v + lanes.load(a.beta + first + i);
                lanes.store(y + i, v);
            });
        });
    }
}

void layer_norm_backward(const LayerNormGradArgs& a, int64_t begin, int64_t end) {
    const View views[] = {a.view_x, a.view_dy, a.dx ? a.view_dx : a.view_dy};
    const int64_t size = normalised_size(a.view_x, a.axes), count = normalised_rows(a.view_x, a.axes);
    const bool buffered = size <= kWidest;
    for (int64_t piece = begin; piece < end; ++piece) {
        double* sums = a.partials ? a.partials + piece * 2 * size : nullptr;
        if (sums)
            for (int64_t i = 0; i < 2 * size; ++i) sums[i] = 0;
        float block[2][kWidest] = {};
        const int64_t first_row = piece_begin(count, a.pieces, piece),
                      last_row = piece_begin(count, a.pieces, piece + 1);
        for (int64_t row = first_row; row < last_row; ++row) {
            const float mean = a.mean[row], inverse = a.inverse_std[row];
            double total = 0, product = 0;
            each_run_of_row(views, a.axes, row, [&](const int64_t* offsets, int64_t first, int64_t length) {
                const float *x = a.x + offsets[0], *dy = a.dy + offsets[1];
                const auto gradient = [&](int64_t i, auto lanes) {
                    const Vec g = lanes.load(dy + i);
                    return a.gamma ? g * lanes.load(a.gamma + first + i) : g;
                };
                total += sum_of(length, gradient);
                product += sum_of(length, [&](int64_t i, auto lanes) {
                    return gradient(i, lanes) * ((lanes.load(x + i) - mean) * inverse);
                });
            });
            const float offset = static_cast<float>(total / size), slope = static_cast<float>(product / size);
            each_run_of_row(views, a.axes, row, [&](const int64_t* offsets, int64_t first, int64_t length) {
                const float *x = a.x + offsets[0], *dy = a.dy + offsets[1];
                if (sums && !buffered)
                    for (int64_t i = 0; i < length; ++i) {
                        sums[first + i] += dy[i] * ((x[i] - mean) * inverse);
                        sums[size + first + i] += dy[i];
                    }
                if (sums && buffered)
                    each_vector(length, [&](int64_t i, auto lanes) {
                        const Vec g = lanes.load(dy + i), xhat = (lanes.load(x + i) - mean) * inverse;
                        lanes.store(block[0] + first + i, lanes.load(block[0] + first + i) + g * xhat);
                        lanes.store(block[1] + first + i, lanes.load(block[1] + first + i) + g);
                    });
                if (!a.dx) return;
                float* dx = a.dx + offsets[2];
                each_vector(length, [&](int64_t i, auto lanes) {
                    Vec g = lanes.load(dy + i);
                    if (a.gamma) g = g * lanes.load(a.gamma + first + i);
                    const Vec xhat = (lanes.load(x + i) - mean) * inverse;
                    lanes.store(dx + i, (g - offset - xhat * slope) * inverse);
                });
            });
            if (sums && buffered && ((row - first_row) % kBlockRows == kBlockRows - 1 || row + 1 == last_row))
                for (int64_t k = 0; k < 2; ++k)
                    for (int64_t i = 0; i < size; ++i) {
                        sums[k * size + i] += block[k][i];
                        block[k][i] = 0;
                    }
        }
    }
}

}  // namespace striate::kernels::STRIATE_ISA
