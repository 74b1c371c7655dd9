#include "kernels/args_elementwise.hpp"
#include "kernels/lanes.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

// Channels whose sums are gathered in floats over one image row before they join the doubles.
constexpr int64_t kGroup = 256;

template <class Lanes>
STRIATE_INLINE Vec slopes(const float* alpha, int64_t stride, int64_t i, Lanes lanes) {
    return stride ? lanes.load(alpha + i) : broadcast(*alpha);
}

// Adds the row's dy * x over x < 0 to the sums of a slope for every channel.
void add_row_by_channel(const PReluGradArgs& a, const float* x, const float* dy, double* sums) {
    for (int64_t c0 = 0; c0 < a.view_x.c; c0 += kGroup) {
        const int64_t width = lesser(kGroup, a.view_x.c - c0);
        float row[kGroup];
        each_vector(width, [&](int64_t i, auto lanes) {
            Vec total = {};
            for (int64_t p = 0; p < a.view_x.w; ++p) {
                const Vec v = lanes.load(x + p * a.view_x.pixel + c0 + i);
                total += select(v < 0.0f, v * lanes.load(dy + p * a.view_dy.pixel + c0 + i), Vec{});
            }
            lanes.store(row + i, total);
        });
        for (int64_t i = 0; i < width; ++i) sums[c0 + i] += row[i];
    }
}

}  // namespace

void prelu_forward(const PReluArgs& a, int64_t begin, int64_t end) {
    const View& v = a.view_x;
    for (int64_t unit = begin; unit < end; ++unit) {
        const float* x = a.x + unit / v.h * v.image + unit % v.h * v.row;
        float* y = a.y + unit / v.h * a.view_y.image + unit % v.h * a.view_y.row;
        const float* alpha = a.alpha + unit % v.h * a.alpha_row;
        for (int64_t p = 0; p < v.w; ++p) {
            each_vector(v.c, [&](int64_t i, auto lanes) {
                const Vec value = lanes.load(x + i);
                lanes.store(y + i, select(value < 0.0f, value * slopes(alpha, a.alpha_channel, i, lanes), value));
            });
            x += v.pixel, y += a.view_y.pixel, alpha += a.alpha_pixel;
        }
    }
}

void prelu_backward(const PReluGradArgs& a, int64_t begin, int64_t end) {
    const View& v = a.view_x;
    for (int64_t piece = begin; piece < end; ++piece) {
        double* sums = a.partials ? a.partials + piece * a.alpha_size : nullptr;
        if (sums)
            for (int64_t i = 0; i < a.alpha_size; ++i) sums[i] = 0;
        const int64_t first = piece_begin(v.n, a.pieces, piece) * v.h,
                      last = piece_begin(v.n, a.pieces, piece + 1) * v.h;
        for (int64_t row = first; row < last; ++row) {
            const float* x = a.x + row / v.h * v.image + row % v.h * v.row;
            const float* dy = a.dy + row / v.h * a.view_dy.image + row % v.h * a.view_dy.row;
            if (sums && a.alpha_pixel == 0 && a.alpha_channel)
                add_row_by_channel(a, x, dy, sums + row % v.h * a.alpha_row);
            const bool by_place = sums && (a.alpha_pixel || !a.alpha_channel);
            for (int64_t p = 0; p < v.w; ++p) {
                const int64_t place = row % v.h * a.alpha_row + p * a.alpha_pixel;
                if (by_place) {
                    double together = 0;
                    for (int64_t i = 0; i < v.c; ++i) {
                        const double term = x[i] < 0 ? double(x[i]) * dy[i] : 0.0;
                        if (a.alpha_channel)
                            sums[place + i] += term;
                        else
                            together += term;
                    }
                    if (!a.alpha_channel) sums[place] += together;
                }
                if (a.dx) {
                    float* dx = a.dx + row / v.h * a.view_dx.image + row % v.h * a.view_dx.row + p * a.view_dx.pixel;
                    each_vector(v.c, [&](int64_t i, auto lanes) {
                        const Vec g = lanes.load(dy + i), slope = slopes(a.alpha + place, a.alpha_channel, i, lanes);
                        lanes.store(dx + i, select(lanes.load(x + i) < 0.0f, g * slope, g));
                    });
                }
                x += v.pixel, dy += a.view_dy.pixel;
            }
        }
    }
}

}  // namespace striate::kernels::STRIATE_ISA
