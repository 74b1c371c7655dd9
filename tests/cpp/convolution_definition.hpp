// Convolutions by their definition, in double precision, and the maps to try kernels on.
#pragma once

#include <algorithm>
#include <functional>

#include "cpu/convolution.hpp"
#include "kernel_check.hpp"

namespace check {

using striate::concat;
using striate::Halo;
using striate::Pair;
using striate::convolution::Problem;

// By whose rules work is cut for the kernels of a table.
inline striate::Machine machine_of(const striate::kernels::Table& table) {
    striate::Machine machine = striate::Machine::of(table.vector_width);
#ifdef STRIATE_TEST_DEVICE_KERNELS
    machine.whole_panels = true;
#endif
    return machine;
}

// An activation of sums that is exact on small whole numbers; relu alone on devices, whose kernels have no other.
inline striate::kernels::Epilogue any_epilogue(Random& random) {
    using Kind = striate::kernels::ActivationKind;
    constexpr Kind kinds[] = {Kind::linear, Kind::relu, Kind::relu6, Kind::leaky_relu};
#ifdef STRIATE_TEST_DEVICE_KERNELS
    constexpr int last = 1;
#else
    constexpr int last = 3;
#endif
    return {kinds[random.integer(0, last)], 0.5f};
}
inline double applied(const striate::kernels::Epilogue& epilogue, double v) {
    using Kind = striate::kernels::ActivationKind;
    if (epilogue.kind == Kind::leaky_relu) return v < 0 ? v * epilogue.alpha : v;
    if (epilogue.kind == Kind::linear) return v;
    return epilogue.kind == Kind::relu6 ? std::min(6.0, std::max(0.0, v)) : std::max(0.0, v);
}

inline std::vector<float> integers(int64_t count, Random& random) {
    std::vector<float> values(count);
    for (float& v : values) v = static_cast<float>(random.integer(-3, 3));
    return values;
}

inline std::string text(const Problem& p, int64_t n, const char* isa) {
    return concat(isa, " n ", n, " in ", p.in_h, "x", p.in_w, "x", p.in_c, " out ", p.out_h, "x", p.out_w, "x", p.out_c,
                  " kernel ", p.kernel.h, "x", p.kernel.w, " stride ", p.stride.h, ",", p.stride.w, " dilation ",
                  p.dilation.h, ",", p.dilation.w, " groups ", p.groups, " pad ", p.pad_top, ",", p.pad_left);
}

inline Problem problem(int64_t h, int64_t w, int64_t in_c, int64_t out_c, Pair kernel, Pair stride, Pair dilation,
                       int64_t groups, bool same) {
    Problem p;
    p.in_h = h, p.in_w = w, p.in_c = in_c, p.out_c = out_c;
    p.kernel = kernel, p.stride = stride, p.dilation = dilation, p.groups = groups;
    p.out_h = striate::convolution::output_size(h, kernel.h, stride.h, dilation.h, same),
    p.out_w = striate::convolution::output_size(w, kernel.w, stride.w, dilation.w, same);
    p.pad_top = striate::convolution::padding_before(h, kernel.h, stride.h, dilation.h, same);
    p.pad_left = striate::convolution::padding_before(w, kernel.w, stride.w, dilation.w, same);
    return p;
}

inline int64_t widest(const Halo& h) {
    return std::max({h.top, h.bottom, h.left, h.right});
}

// A map of integers inside a halo of zeros; the channels beside it, if any, hold other numbers.
inline Map map_of(int64_t n, int64_t h, int64_t w, int64_t c, const Halo& halo, int64_t extra, Random& random) {
    Map map(n, h, w, c, widest(halo) + random.integer(0, 1), extra);
    for (int64_t i = 0; i < n * h * w; ++i)
        for (int64_t j = 0; j < c + extra; ++j)
            map.at(i / w / h, i / w % h, i % w, j) = static_cast<float>(j < c ? random.integer(-3, 3) : 1000);
    return map;
}

// Calls visit(image, in row, in column, out row, out column, kernel row, kernel column) for every tap inside the image.
inline void each_tap(const Problem& p, int64_t n,
                     const std::function<void(int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t)>& visit) {
    for (int64_t i = 0; i < n; ++i)
        for (int64_t oy = 0; oy < p.out_h; ++oy)
            for (int64_t ox = 0; ox < p.out_w; ++ox)
                for (int64_t ky = 0; ky < p.kernel.h; ++ky)
                    for (int64_t kx = 0; kx < p.kernel.w; ++kx) {
                        const int64_t y = oy * p.stride.h - p.pad_top + ky * p.dilation.h;
                        const int64_t x = ox * p.stride.w - p.pad_left + kx * p.dilation.w;
                        if (y >= 0 && y < p.in_h && x >= 0 && x < p.in_w) visit(i, y, x, oy, ox, ky, kx);
                    }
}

// What the kernels should give, element for element.
struct Definition {
    std::vector<double> y, dx, dw;
};
inline Definition define(const Problem& p, int64_t n, const Map& x, const Map& dy, const std::vector<float>& w) {
    Definition d;
    const int64_t ic = p.in_c / p.groups, oc = p.out_c / p.groups;
    d.y.assign(n * p.out_h * p.out_w * p.out_c, 0);
    d.dx.assign(n * p.in_h * p.in_w * p.in_c, 0);
    d.dw.assign(w.size(), 0);
    each_tap(p, n, [&](int64_t i, int64_t iy, int64_t ix, int64_t oy, int64_t ox, int64_t ky, int64_t kx) {
        const float* from = &const_cast<Map&>(x).at(i, iy, ix, 0);
        const float* gradient = &const_cast<Map&>(dy).at(i, oy, ox, 0);
        double* to = &d.y[((i * p.out_h + oy) * p.out_w + ox) * p.out_c];
        double* to_x = &d.dx[((i * p.in_h + iy) * p.in_w + ix) * p.in_c];
        const int64_t tap = (ky * p.kernel.w + kx) * ic * p.out_c;
        for (int64_t g = 0; g < p.groups; ++g)
            for (int64_t c = 0; c < ic; ++c)
                for (int64_t o = 0; o < oc; ++o) {
                    const int64_t at = tap + c * p.out_c + g * oc + o;
                    to[g * oc + o] += double(from[g * ic + c]) * w[at];
                    to_x[g * ic + c] += double(gradient[g * oc + o]) * w[at];
                    d.dw[at] += double(from[g * ic + c]) * gradient[g * oc + o];
                }
    });
    return d;
}

}  // namespace check
