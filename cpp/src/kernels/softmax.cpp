#include "kernels/args_softmax.hpp"
#include "kernels/tile.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

void forward_row(const float* x, float* y, int64_t c) {
    const float top = row_max(x, c);
    Vec partial = {};
    each_vector(c, [&](int64_t i, auto lanes) {
        const Vec e = exp(lanes.load(x + i) - top);
        lanes.store(y + i, e);
        partial += lanes.keep(e, Vec{});
    });
    const float total = sum(partial);
    each_vector(c, [&](int64_t i, auto lanes) { lanes.store(y + i, lanes.load(y + i) / total); });
}

void forward_tile(const float* x, int64_t x_stride, float* y, int64_t y_stride, int64_t rows, int64_t c) {
    Tile tile;
    tile.read(x, x_stride, rows, c);
    const Vec top = row_max(tile, c);
    Vec total = {};
    for (int64_t j = 0; j < c; ++j) {
        const Vec e = exp(tile.get(j) - top);
        tile.set(j, e);
        total += e;
    }
    for (int64_t j = 0; j < c; ++j) tile.set(j, tile.get(j) / total);
    tile.write(y, y_stride, rows, c);
}

void backward_row(const float* y, const float* dy, float* dx, int64_t c) {
    const float common = row_sum(c, [&](int64_t i, auto lanes) { return lanes.load(y + i) * lanes.load(dy + i); });
    each_vector(c,
                [&](int64_t i, auto lanes) { lanes.store(dx + i, lanes.load(y + i) * (lanes.load(dy + i) - common)); });
}

void backward_tile(const float* y, int64_t y_stride, const float* dy, int64_t dy_stride, float* dx, int64_t dx_stride,
                   int64_t rows, int64_t c) {
    Tile outputs, gradients;
    outputs.read(y, y_stride, rows, c);
    gradients.read(dy, dy_stride, rows, c);
    const Vec common = column_sum(c, [&](int64_t j) { return outputs.get(j) * gradients.get(j); });
    for (int64_t j = 0; j < c; ++j) gradients.set(j, outputs.get(j) * (gradients.get(j) - common));
    gradients.write(dx, dx_stride, rows, c);
}

}  // namespace

void softmax(const SoftmaxArgs& a, int64_t begin, int64_t end) {
    const View views[] = {a.view_x, a.view_y};
    const int64_t c = a.view_x.c, step = c <= kNarrow ? kWidth : 1;
    each_strip(views, false, begin, end, [&](const int64_t* offsets, int64_t, int64_t pixels, bool contiguous) {
        const int64_t x_stride = contiguous ? c : a.view_x.pixel, y_stride = contiguous ? c : a.view_y.pixel;
        for (int64_t p = 0; p < pixels; p += step) {
            const float* x = a.x + offsets[0] + p * x_stride;
            float* y = a.y + offsets[1] + p * y_stride;
            if (c <= kNarrow)
                forward_tile(x, x_stride, y, y_stride, lesser(step, pixels - p), c);
            else
                forward_row(x, y, c);
        }
    });
}

void softmax_backward(const SoftmaxGradArgs& a, int64_t begin, int64_t end) {
    const View views[] = {a.view_y, a.view_dy, a.view_dx};
    const int64_t c = a.view_y.c, step = c <= kNarrow ? kWidth : 1;
    each_strip(views, false, begin, end, [&](const int64_t* offsets, int64_t, int64_t pixels, bool contiguous) {
        int64_t strides[3];
        for (int k = 0; k < 3; ++k) strides[k] = contiguous ? c : views[k].pixel;
        for (int64_t p = 0; p < pixels; p += step) {
            const float *y = a.y + offsets[0] + p * strides[0], *dy = a.dy + offsets[1] + p * strides[1];
            float* dx = a.dx + offsets[2] + p * strides[2];
            if (c <= kNarrow)
                backward_tile(y, strides[0], dy, strides[1], dx, strides[2], lesser(step, pixels - p), c);
            else
                backward_row(y, dy, dx, c);
        }
    });
}

}  // namespace striate::kernels::STRIATE_ISA
