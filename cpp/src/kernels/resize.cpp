#include "kernels/args_resize.hpp"
#include "kernels/lanes.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

// floor((o + 1/2) * in / out), exactly
STRIATE_INLINE int64_t nearest(int64_t o, int64_t in, int64_t out) {
    return (2 * o + 1) * in / (2 * out);
}
// The first output position whose nearest() is at least i.
STRIATE_INLINE int64_t first_near(int64_t i, int64_t in, int64_t out) {
    const int64_t above = 2 * out * i - in;
    return above <= 0 ? 0 : divide_up(above, 2 * in);
}

struct Mix {
    int64_t lower, upper;
    float upper_share;
};
STRIATE_INLINE Mix mix(int64_t o, int64_t in, int64_t out) {
    const double place = (static_cast<double>(o) + 0.5) * static_cast<double>(in) / static_cast<double>(out) - 0.5;
    const int64_t below = place < 0 ? -1 : static_cast<int64_t>(place);
    return {greater(below, 0), lesser(below + 1, in - 1), static_cast<float>(place - static_cast<double>(below))};
}
// Output positions that may mix in input position i: no others do.
struct Range {
    int64_t begin, end;
};
STRIATE_INLINE Range mixed_from(int64_t i, int64_t in, int64_t out) {
    const int64_t begin = i == 0 ? 0 : greater(0, (2 * i - 1) * out / (2 * in) - 1);
    const int64_t end = i == in - 1 ? out : lesser(out, (2 * i + 3) * out / (2 * in) + 1);
    return {begin, end};
}

void forward_nearest(const ResizeArgs& a, const float* image, float* y, int64_t out_row) {
    const View &v = a.view_x, &o = a.view_y;
    const float* row = image + nearest(out_row, v.h, o.h) * v.row;
    for (int64_t x = 0; x < o.w; ++x, y += o.pixel) {
        const float* from = row + nearest(x, v.w, o.w) * v.pixel;
        each_vector(v.c, [&](int64_t i, auto lanes) { lanes.store(y + i, lanes.load(from + i)); });
    }
}

void forward_bilinear(const ResizeArgs& a, const float* image, float* y, int64_t out_row) {
    const View &v = a.view_x, &o = a.view_y;
    const Mix down = mix(out_row, v.h, o.h);
    const float *upper_row = image + down.lower * v.row, *lower_row = image + down.upper * v.row;
    for (int64_t x = 0; x < o.w; ++x, y += o.pixel) {
        const Mix across = mix(x, v.w, o.w);
        const int64_t left = across.lower * v.pixel, right = across.upper * v.pixel;
        each_vector(v.c, [&](int64_t i, auto lanes) {
            const Vec a0 = lanes.load(upper_row + left + i), a1 = lanes.load(upper_row + right + i);
            const Vec b0 = lanes.load(lower_row + left + i), b1 = lanes.load(lower_row + right + i);
            const Vec top = a0 + (a1 - a0) * across.upper_share, bottom = b0 + (b1 - b0) * across.upper_share;
            lanes.store(y + i, top + (bottom - top) * down.upper_share);
        });
    }
}

STRIATE_INLINE void add_scaled(float* to, const float* from, float factor, int64_t c) {
    each_vector(
        c, [&](int64_t i, auto lanes) { lanes.store(to + i, lanes.load(to + i) + lanes.load(from + i) * factor); });
}

void backward_nearest(const ResizeGradArgs& a, const float* image, float* dx, int64_t row) {
    const View &o = a.view_dy, &v = a.view_dx;
    const int64_t first = first_near(row, v.h, o.h), last = lesser(o.h, first_near(row + 1, v.h, o.h));
    for (int64_t x = 0; x < v.w; ++x, dx += v.pixel) {
        const int64_t left = first_near(x, v.w, o.w), right = lesser(o.w, first_near(x + 1, v.w, o.w));
        each_vector(v.c, [&](int64_t i, auto lanes) {
            Vec total = {};
            for (int64_t y = first; y < last; ++y)
                for (int64_t column = left; column < right; ++column)
                    total += lanes.load(image + y * o.row + column * o.pixel + i);
            lanes.store(dx + i, total);
        });
    }
}

void backward_bilinear(const ResizeGradArgs& a, const float* image, float* dx, int64_t row) {
    const View &o = a.view_dy, &v = a.view_dx;
    zero_row(dx, v);
    const Range range = mixed_from(row, v.h, o.h);
    for (int64_t y = range.begin; y < range.end; ++y) {
        const Mix down = mix(y, v.h, o.h);
        const float share =
            (down.lower == row ? 1.0f - down.upper_share : 0.0f) + (down.upper == row ? down.upper_share : 0.0f);
        if (share == 0.0f) continue;
        for (int64_t x = 0; x < o.w; ++x) {
            const Mix across = mix(x, v.w, o.w);
            const float* dy = image + y * o.row + x * o.pixel;
            add_scaled(dx + across.lower * v.pixel, dy, share * (1.0f - across.upper_share), v.c);
            add_scaled(dx + across.upper * v.pixel, dy, share * across.upper_share, v.c);
        }
    }
}

}  // namespace

void resize(const ResizeArgs& a, int64_t begin, int64_t end) {
    const View &v = a.view_x, &o = a.view_y;
    for (int64_t unit = begin; unit < end; ++unit) {
        const float* image = a.x + unit / o.h * v.image;
        float* y = a.y + unit / o.h * o.image + unit % o.h * o.row;
        if (a.bilinear)
            forward_bilinear(a, image, y, unit % o.h);
        else
            forward_nearest(a, image, y, unit % o.h);
    }
}

void resize_backward(const ResizeGradArgs& a, int64_t begin, int64_t end) {
    const View &o = a.view_dy, &v = a.view_dx;
    for (int64_t unit = begin; unit < end; ++unit) {
        const float* image = a.dy + unit / v.h * o.image;
        float* dx = a.dx + unit / v.h * v.image + unit % v.h * v.row;
        if (a.bilinear)
            backward_bilinear(a, image, dx, unit % v.h);
        else
            backward_nearest(a, image, dx, unit % v.h);
    }
}

}  // namespace striate::kernels::STRIATE_ISA
