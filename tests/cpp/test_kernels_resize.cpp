// Resizing with half-pixel centres, and its gradient as the transpose of it.
#include <cmath>

#include "kernel_check.hpp"

using namespace striate::kernels;
using check::Map;
using check::Random;
using check::run_all;
using check::Size;

namespace {

// The share of each input position in output position `o`.
std::vector<double> shares(int64_t o, int64_t in, int64_t out, bool bilinear) {
    std::vector<double> weights(in);
    const double place = (o + 0.5) * in / out - 0.5;
    if (!bilinear) {
        weights[(2 * o + 1) * in / (2 * out)] = 1;
        return weights;
    }
    const double below = std::floor(place), upper = place - below;
    weights[std::max<int64_t>(0, int64_t(below))] += 1 - upper;
    weights[std::min<int64_t>(in - 1, int64_t(below) + 1)] += upper;
    return weights;
}

void test_resize(const Table& table, const Size& size, int64_t h, int64_t w, bool bilinear, Random& random) {
    const std::string context =
        striate::concat(table.isa, bilinear ? " bilinear " : " nearest ", size.text(), " to ", h, "x", w);
    const Size out = {size.n, h, w, size.c};
    Map x = map_of(size, random), y = map_of(out, random), dy = map_of(out, random), dx = map_of(size, random);
    x.random(random), dy.random(random);
    const ResizeArgs forward = {bilinear, x.view, y.view, x.data(), y.data()};
    run_twice(table.resize, forward, {&y}, random, context);
    const ResizeGradArgs backward = {bilinear, dy.view, dx.view, dy.data(), dx.data()};
    run_twice(table.resize_backward, backward, {&dx}, random, context);
    std::vector<double> want_dx(x.size());
    for (int64_t oy = 0; oy < h; ++oy) {
        const std::vector<double> down = shares(oy, size.h, h, bilinear);
        for (int64_t ox = 0; ox < w; ++ox) {
            const std::vector<double> across = shares(ox, size.w, w, bilinear);
            for (int64_t n = 0; n < size.n; ++n)
                for (int64_t c = 0; c < size.c; ++c) {
                    double want = 0;
                    for (int64_t py = 0; py < size.h; ++py)
                        for (int64_t px = 0; px < size.w; ++px) {
                            want += down[py] * across[px] * x.at(n, py, px, c);
                            want_dx[((n * size.h + py) * size.w + px) * size.c + c] +=
                                down[py] * across[px] * dy.at(n, oy, ox, c);
                        }
                    CHECK_NEAR(y.at(n, oy, ox, c), want, 1e-6, context);
                }
        }
    }
    for (int64_t i = 0; i < dx.size(); ++i) CHECK_NEAR(dx.flat(i), want_dx[i], 5e-6, context + " backward");
}

}  // namespace

TEST_CASE("maps are resized as defined, and gradients by the transpose") {
    Random random(5);
    for (const Table* table : check::tables())
        for (const bool bilinear : {false, true})
            for (const Size& size : {Size{2, 3, 4, 5}, Size{1, 5, 2, 16}, Size{1, 1, 1, 3}, Size{1, 7, 7, 1}})
                for (const int64_t factor : {1, 2, 3, 5}) {
                    test_resize(*table, size, size.h * factor, size.w * factor, bilinear, random);
                    test_resize(*table, size, size.h * factor, size.w, bilinear, random);
                    test_resize(*table, size, random.integer(1, 15), random.integer(1, 15), bilinear, random);
                }
}
