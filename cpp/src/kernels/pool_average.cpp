#include "kernels/pool.hpp"

namespace striate::kernels::STRIATE_ISA {

void average_pool(const AveragePoolArgs& a, int64_t begin, int64_t end) {
    const View &v = a.view_x, &o = a.view_y;
    const PoolWindow& w = a.window;
    for (int64_t unit = begin; unit < end; ++unit) {
        const float* image = a.x + unit / o.h * v.image;
        float* y = a.y + unit / o.h * o.image + unit % o.h * o.row;
        const Span down = span(unit % o.h, w.row_step, w.top, w.rows, v.h);
        for (int64_t x = 0; x < o.w; ++x) {
            const Span across = span(x, w.column_step, w.left, w.columns, v.w);
            const float share = 1.0f / static_cast<float>((down.end - down.begin) * (across.end - across.begin));
            each_vector(v.c, [&](int64_t i, auto lanes) {
                Vec total = {};
                for (int64_t row = down.begin; row < down.end; ++row)
                    for (int64_t column = across.begin; column < across.end; ++column)
                        total += lanes.load(image + row * v.row + column * v.pixel + i);
                lanes.store(y + x * o.pixel + i, total * share);
            });
        }
    }
}

void average_pool_backward(const AveragePoolGradArgs& a, int64_t begin, int64_t end) {
    const View &o = a.view_dy, &v = a.view_dx;
    const PoolWindow& w = a.window;
    const bool apart = w.rows <= w.row_step && w.columns <= w.column_step;
    for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t image = unit / v.h, row = unit % v.h;
        float* dx = a.dx + image * v.image + row * v.row;
        const Windows over = windows_over(row, w.row_step, w.top, w.rows, o.h);
        if (!apart || over.begin >= over.end || !tiles_row(w, v, o.w)) zero_row(dx, v);
        for (int64_t y = over.begin; y < over.end; ++y) {
            const Span down = span(y, w.row_step, w.top, w.rows, v.h);
            for (int64_t x = 0; x < o.w; ++x) {
                const float* dy = a.dy + image * o.image + y * o.row + x * o.pixel;
                const Span across = span(x, w.column_step, w.left, w.columns, v.w);
                const float share = 1.0f / static_cast<float>((down.end - down.begin) * (across.end - across.begin));
                each_vector(v.c, [&](int64_t i, auto lanes) {
                    const Vec g = lanes.load(dy + i) * share;
                    for (int64_t column = across.begin; column < across.end; ++column) {
                        float* to = dx + column * v.pixel + i;
                        lanes.store(to, apart ? g : lanes.load(to) + g);
                    }
                });
            }
        }
    }
}

}  // namespace striate::kernels::STRIATE_ISA
