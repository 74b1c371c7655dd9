#include "kernels/args_take.hpp"
#include "kernels/lanes.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

STRIATE_INLINE void copy_run(const float* x, float* y, int64_t count) {
    each_vector(count, [&](int64_t i, auto lanes) { lanes.store(y + i, lanes.load(x + i)); });
}
STRIATE_INLINE void add_run(const float* x, float* y, int64_t count) {
    each_vector(count, [&](int64_t i, auto lanes) { lanes.store(y + i, lanes.load(y + i) + lanes.load(x + i)); });
}

// One image row, in runs that are contiguous in both views: f(from, to, count).
template <class F>
STRIATE_INLINE void each_pixel(const View& x, const View& y, F&& f) {
    const bool whole = packed(x) && packed(y);
    const int64_t runs = whole ? 1 : y.w, count = whole ? y.w * y.c : y.c;
    for (int64_t run = 0; run < runs; ++run) f(run * x.pixel, run * y.pixel, count);
}

}  // namespace

void take(const TakeArgs& a, int64_t begin, int64_t end) {
    const View &vx = a.view_x, &vy = a.view_y;
    for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t image = unit / vy.h, row = unit % vy.h;
        const float* x = a.x + image * vx.image + (a.axis == 0 ? a.indices[row] : row) * vx.row;
        float* y = a.y + image * vy.image + row * vy.row;
        if (a.axis == 0) {
            each_pixel(vx, vy, [&](int64_t from, int64_t to, int64_t count) { copy_run(x + from, y + to, count); });
        } else if (a.axis == 1) {
            for (int64_t w = 0; w < vy.w; ++w) copy_run(x + a.indices[w] * vx.pixel, y + w * vy.pixel, vy.c);
        } else {
            for (int64_t w = 0; w < vy.w; ++w)
                for (int64_t c = 0; c < vy.c; ++c) y[w * vy.pixel + c] = x[w * vx.pixel + a.indices[c]];
        }
    }
}

void take_backward(const TakeGradArgs& a, int64_t begin, int64_t end) {
    const View &vd = a.view_dy, &vx = a.view_dx;
    for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t image = unit / vx.h, row = unit % vx.h;
        const float* dy = a.dy + image * vd.image;
        float* dx = a.dx + image * vx.image + row * vx.row;
        if (a.axis == 0) {
            zero_row(dx, vx);
            for (int64_t i = a.begins[row]; i < a.begins[row + 1]; ++i) {
                const float* source = dy + a.places[i] * vd.row;
                each_pixel(vd, vx,
                           [&](int64_t from, int64_t to, int64_t count) { add_run(source + from, dx + to, count); });
            }
            continue;
        }
        dy += row * vd.row;
        if (a.axis == 1) {
            zero_row(dx, vx);
            for (int64_t w = 0; w < vx.w; ++w)
                for (int64_t i = a.begins[w]; i < a.begins[w + 1]; ++i)
                    add_run(dy + a.places[i] * vd.pixel, dx + w * vx.pixel, vx.c);
        } else {
            for (int64_t w = 0; w < vx.w; ++w)
                for (int64_t c = 0; c < vx.c; ++c) {
                    float total = 0;
                    for (int64_t i = a.begins[c]; i < a.begins[c + 1]; ++i) total += dy[w * vd.pixel + a.places[i]];
                    dx[w * vx.pixel + c] = total;
                }
        }
    }
}

}  // namespace striate::kernels::STRIATE_ISA
