#include "kernels/args_elementwise.hpp"
#include "kernels/lanes.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

template <class F>
STRIATE_INLINE void combine(const BinaryArgs& a, int64_t begin, int64_t end, F f) {
    const View views[] = {a.view_y, broadcast_to(a.view_a, a.view_y), broadcast_to(a.view_b, a.view_y)};
    if (a.view_a.c == a.view_y.c && a.view_b.c == a.view_y.c)
        return each_run(views, begin, end, [&](const int64_t* offsets, int64_t, int64_t count) {
            const float *p = a.a + offsets[1], *q = a.b + offsets[2];
            float* y = a.y + offsets[0];
            each_vector(count,
                        [&](int64_t i, auto lanes) { lanes.store(y + i, f(lanes.load(p + i), lanes.load(q + i))); });
        });
    // One of them has a single channel, which is used for all.
    const bool one_a = a.view_a.c < a.view_y.c, one_b = a.view_b.c < a.view_y.c;
    for (int64_t unit = begin; unit < end; ++unit) {
        int64_t at[3];
        for (int k = 0; k < 3; ++k) at[k] = unit / views[k].h * views[k].image + unit % views[k].h * views[k].row;
        for (int64_t x = 0; x < a.view_y.w; ++x) {
            const float *p = a.a + at[1], *q = a.b + at[2];
            const Vec only_a = broadcast(*p), only_b = broadcast(*q);
            float* y = a.y + at[0];
            each_vector(a.view_y.c, [&](int64_t i, auto lanes) {
                lanes.store(y + i, f(one_a ? only_a : lanes.load(p + i), one_b ? only_b : lanes.load(q + i)));
            });
            for (int k = 0; k < 3; ++k) at[k] += views[k].pixel;
        }
    }
}

template <class F>
STRIATE_INLINE void map(const View& view_x, const View& view_y, const float* x, float* y, int64_t begin, int64_t end,
                        F f) {
    const View views[] = {view_x, view_y};
    each_run(views, begin, end, [&](const int64_t* offsets, int64_t, int64_t count) {
        const float* from = x + offsets[0];
        float* to = y + offsets[1];
        each_vector(count, [&](int64_t i, auto lanes) { lanes.store(to + i, f(lanes, from + i, to + i)); });
    });
}

void zero(float* y, int64_t count) {
    each_vector(count, [&](int64_t i, auto lanes) { lanes.store(y + i, Vec{}); });
}

}  // namespace

void binary(const BinaryArgs& a, int64_t begin, int64_t end) {
    switch (a.kind) {
        case BinaryKind::add:
            return combine(a, begin, end, [](Vec p, Vec q) { return p + q; });
        case BinaryKind::subtract:
            return combine(a, begin, end, [](Vec p, Vec q) { return p - q; });
        case BinaryKind::multiply:
            return combine(a, begin, end, [](Vec p, Vec q) { return p * q; });
        case BinaryKind::add_relu:
            return combine(a, begin, end, [](Vec p, Vec q) { return max(Vec{}, p + q); });
        case BinaryKind::add_scaled:
            return combine(a, begin, end, [&](Vec p, Vec q) { return (p + q) * a.scale; });
        case BinaryKind::maximum:
            return combine(a, begin, end, [](Vec p, Vec q) { return select((p > q) | (p != p), p, q); });
        case BinaryKind::minimum:
            return combine(a, begin, end, [](Vec p, Vec q) { return select((p < q) | (p != p), p, q); });
    }
}

void extreme_backward(const ExtremeGradArgs& a, int64_t begin, int64_t end) {
    const View& y = a.view_y;
    const View views[] = {y, broadcast_to(a.view_x, y), a.view_dy, a.dx ? a.view_dx : y, a.rest ? a.view_rest : y};
    const auto run = [&](const int64_t* at, int64_t count, auto one) {
        const float *x = a.x + at[1], *dy = a.dy + at[2];
        const Vec only = broadcast(*x);
        each_vector(count, [&](int64_t i, auto lanes) {
            const Vec g = lanes.load(dy + i);
            const VecI here = (decltype(one)::value ? only : lanes.load(x + i)) == lanes.load(a.y + at[0] + i);
            if (a.dx) lanes.store(a.dx + at[3] + i, select(here, g, Vec{}));
            if (a.rest) lanes.store(a.rest + at[4] + i, select(here, Vec{}, g));
        });
    };
    if (a.view_x.c == y.c)
        return each_run(views, begin, end,
                        [&](const int64_t* at, int64_t, int64_t count) { run(at, count, Flag<false>{}); });
    // A single channel, which is compared with all.
    for (int64_t unit = begin; unit < end; ++unit) {
        int64_t at[5];
        for (int k = 0; k < 5; ++k) at[k] = unit / y.h * views[k].image + unit % y.h * views[k].row;
        for (int64_t px = 0; px < y.w; ++px) {
            run(at, y.c, Flag<true>{});
            for (int k = 0; k < 5; ++k) at[k] += views[k].pixel;
        }
    }
}

void scale_shift(const ScaleShiftArgs& a, int64_t begin, int64_t end) {
    map(a.view_x, a.view_y, a.x, a.y, begin, end,
        [&](auto lanes, const float* x, const float*) { return lanes.load(x) * a.scale + a.shift; });
}

void accumulate(const AccumulateArgs& a, int64_t begin, int64_t end) {
    map(a.view_x, a.view_y, a.x, a.y, begin, end,
        [&](auto lanes, const float* x, const float* y) { return lanes.load(y) + lanes.load(x) * a.scale; });
}

void copy(const CopyArgs& a, int64_t begin, int64_t end) {
    if (a.x == a.y) return;  // y took over the memory of x
    map(a.view_x, a.view_y, a.x, a.y, begin, end,
        [](auto lanes, const float* x, const float*) { return lanes.load(x); });
}

void fill(const FillArgs& a, int64_t begin, int64_t end) {
    const View views[] = {a.view};
    each_run(views, begin, end, [&](const int64_t* offsets, int64_t, int64_t count) {
        float* y = a.y + offsets[0];
        each_vector(count, [&](int64_t i, auto lanes) { lanes.store(y + i, broadcast(a.value)); });
    });
}

void zero_halo(const ZeroHaloArgs& a, int64_t begin, int64_t end) {
    const View& v = a.view;
    for (int64_t image = begin; image < end; ++image) {
        float* y = a.y + image * v.image;
        for (int64_t row = -a.top; row < v.h + a.bottom; ++row) {
            const bool outside = row < 0 || row >= v.h;
            // Other tensors may own the channels beside this one, so pixels are done one by one where they have a gap.
            for (int64_t x = -a.left; x < v.w + a.right; ++x) {
                if (!outside && x == 0) x = v.w;
                if (x >= v.w + a.right) break;
                const int64_t run = v.pixel != v.c ? 1 : x < 0 && !outside ? -x : v.w + a.right - x;
                zero(y + row * v.row + x * v.pixel, run * v.c);
                x += run - 1;
            }
        }
    }
}

void merge_sums(const MergeSumsArgs& a, int64_t begin, int64_t end) {
    for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t last = lesser(a.size, (unit + 1) * kMergeChunk);
        for (int64_t i = unit * kMergeChunk; i < last; ++i) {
            double total = 0;
            for (int64_t piece = 0; piece < a.pieces; ++piece) total += a.partials[piece * a.size + i];
            a.out[i] = static_cast<float>(total * a.scale);
        }
    }
}

}  // namespace striate::kernels::STRIATE_ISA
