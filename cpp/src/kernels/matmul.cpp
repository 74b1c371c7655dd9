#include "kernels/args_matmul.hpp"
#include "kernels/lanes.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

// R rows of y from sums of rows of b: y[r][j] = sum over k of a[r][k] b[k][j]. `row` and `step` are the strides of a.
template <int R>
STRIATE_INLINE void sum_rows(const float* a, int64_t row, int64_t step, int64_t depth, const float* b, int64_t b_row,
                             float* y, int64_t y_row, int64_t columns) {
    each_vector(columns, [&](int64_t j, auto lanes) {
        Vec total[R] = {};
        for (int64_t k = 0; k < depth; ++k) {
            const Vec v = lanes.load(b + k * b_row + j);
            for (int r = 0; r < R; ++r) total[r] += a[r * row + k * step] * v;
        }
        for (int r = 0; r < R; ++r) lanes.store(y + r * y_row + j, total[r]);
    });
}

// R rows of y from products of rows: y[r][j] = sum over k of a[r][k] b[j][k], C columns at a time.
template <int R, int C>
STRIATE_INLINE void dot_rows(const float* a, int64_t row, int64_t depth, const float* b, int64_t b_row, float* y,
                             int64_t y_row) {
    Vec total[R][C] = {};
    each_vector(depth, [&](int64_t k, auto lanes) {
        Vec left[R];
        for (int r = 0; r < R; ++r) left[r] = lanes.load(a + r * row + k);
        for (int c = 0; c < C; ++c) {
            const Vec right = lanes.load(b + c * b_row + k);
            for (int r = 0; r < R; ++r) total[r][c] += left[r] * right;
        }
    });
    for (int r = 0; r < R; ++r)
        for (int c = 0; c < C; ++c) y[r * y_row + c] = sum(total[r][c]);
}

template <int R>
STRIATE_INLINE void some_rows(const MatMulArgs& m, const float* a, const float* b, float* y) {
    const View &va = m.view_a, &vb = m.view_b, &vy = m.view_y;
    if (m.kind != MatMulKind::second_transposed) {
        const bool turned = m.kind == MatMulKind::first_transposed;
        sum_rows<R>(a, turned ? 1 : va.pixel, turned ? va.pixel : 1, vb.w, b, vb.pixel, y, vy.pixel, vy.c);
        return;
    }
    int64_t j = 0;
    for (; j + 4 <= vy.c; j += 4) dot_rows<R, 4>(a, va.pixel, va.c, b + j * vb.pixel, vb.pixel, y + j, vy.pixel);
    for (; j < vy.c; ++j) dot_rows<R, 1>(a, va.pixel, va.c, b + j * vb.pixel, vb.pixel, y + j, vy.pixel);
}

}  // namespace

void matmul(const MatMulArgs& m, int64_t begin, int64_t end) {
    const View& vy = m.view_y;
    const int64_t pieces = divide_up(vy.w, kMatMulRows);
    const int64_t a_row = m.kind == MatMulKind::first_transposed ? 1 : m.view_a.pixel;
    for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t matrix = unit / pieces, image = matrix / vy.h, row = matrix % vy.h;
        const float* a = m.a + image * m.view_a.image + row * m.view_a.row;
        const float* b = m.b + image * m.view_b.image + row * m.view_b.row;
        float* y = m.y + image * vy.image + row * vy.row;
        int64_t i = unit % pieces * kMatMulRows;
        const int64_t last = lesser(i + kMatMulRows, vy.w);
        for (; i + 4 <= last; i += 4) some_rows<4>(m, a + i * a_row, b, y + i * vy.pixel);
        for (; i < last; ++i) some_rows<1>(m, a + i * a_row, b, y + i * vy.pixel);
    }
}

}  // namespace striate::kernels::STRIATE_ISA
