// Pooling kernels against their definitions: windows that tile, overlap, leave gaps and hang over the edges.
#include "kernel_check.hpp"

using namespace striate::kernels;
using check::Map;
using check::Random;
using check::run_all;
using check::Size;

namespace {

int64_t places(int64_t size, int64_t window, int64_t step, bool same) {
    return same ? (size + step - 1) / step : (size - window) / step + 1;
}
// What Keras pads in front for "same".
int64_t before(int64_t size, int64_t window, int64_t step, bool same) {
    return same ? std::max<int64_t>(0, (places(size, window, step, true) - 1) * step + window - size) / 2 : 0;
}

struct Pool {
    PoolWindow window;
    int64_t h, w;  // of the output
};
Pool pool_of(const Size& size, int64_t rows, int64_t columns, int64_t row_step, int64_t column_step, bool same) {
    return {{rows, columns, row_step, column_step, before(size.h, rows, row_step, same),
             before(size.w, columns, column_step, same)},
            places(size.h, rows, row_step, same),
            places(size.w, columns, column_step, same)};
}

void test_windows(const Table& table, const Size& size, const Pool& pool, Random& random) {
    const PoolWindow& w = pool.window;
    const std::string context =
        striate::concat(table.isa, " pool ", size.text(), " window ", w.rows, "x", w.columns, " step ", w.row_step, "x",
                        w.column_step, " before ", w.top, ",", w.left);
    const Size out = {size.n, pool.h, pool.w, size.c};
    Map x = map_of(size, random), y = map_of(out, random), average = map_of(out, random), dy = map_of(out, random);
    Map dx = map_of(size, random), average_dx = map_of(size, random), without = map_of(out, random);
    x.integers(random, -9, 9);  // with ties
    dy.random(random);
    const bool wide = w.rows * w.columns > 255;
    std::vector<uint8_t> bytes(y.size());
    std::vector<int32_t> ints(y.size());
    const PoolWinners winners = {wide ? static_cast<void*>(ints.data()) : bytes.data(), wide};

    const MaxPoolArgs forward = {w, x.view, y.view, x.data(), y.data(), winners, false};
    run_twice(table.max_pool, forward, {&y}, random, context);
    const MaxPoolArgs only_value = {w, x.view, without.view, x.data(), without.data(), {nullptr, false}, false};
    run_twice(table.max_pool, only_value, {&without}, random, context);
    CHECK(without.same_values(y));
    std::vector<uint8_t> cut_bytes(y.size());
    std::vector<int32_t> cut_ints(y.size());
    const PoolWinners cut = {wide ? static_cast<void*>(cut_ints.data()) : cut_bytes.data(), wide};
    Map rectified = map_of(out, random);
    const MaxPoolArgs with_relu = {w, x.view, rectified.view, x.data(), rectified.data(), cut, true};
    run_twice(table.max_pool, with_relu, {&rectified}, random, context + " relu");
    for (int64_t i = 0; i < y.size(); ++i) {
        const bool zero = y.flat(i) <= 0;
        CHECK(rectified.flat(i) == (zero ? 0 : y.flat(i)));
        const auto place = [&](auto& all, auto& some) { return all[i] == (zero ? w.rows * w.columns : some[i]); };
        CHECK((wide ? place(cut_ints, ints) : place(cut_bytes, bytes)));
    }
    const MaxPoolGradArgs backward = {w, dy.view, dx.view, dy.data(), dx.data(), winners};
    run_twice(table.max_pool_backward, backward, {&dx}, random, context + " backward");
    const AveragePoolArgs mean = {w, x.view, average.view, x.data(), average.data()};
    run_twice(table.average_pool, mean, {&average}, random, context + " average");
    const AveragePoolGradArgs mean_back = {w, dy.view, average_dx.view, dy.data(), average_dx.data()};
    run_twice(table.average_pool_backward, mean_back, {&average_dx}, random, context + " average backward");

    Map max_want(size.n, size.h, size.w, size.c), average_want(size.n, size.h, size.w, size.c);
    for (int64_t n = 0; n < size.n; ++n)
        for (int64_t oy = 0; oy < pool.h; ++oy)
            for (int64_t ox = 0; ox < pool.w; ++ox)
                for (int64_t c = 0; c < size.c; ++c) {
                    double best = -1e30, total = 0;
                    int64_t count = 0, best_y = 0, best_x = 0;
                    for (int64_t ky = 0; ky < w.rows; ++ky)
                        for (int64_t kx = 0; kx < w.columns; ++kx) {
                            const int64_t py = oy * w.row_step - w.top + ky, px = ox * w.column_step - w.left + kx;
                            if (py < 0 || px < 0 || py >= size.h || px >= size.w) continue;
                            const double v = x.at(n, py, px, c);
                            if (v > best) best = v, best_y = py, best_x = px;
                            total += v;
                            ++count;
                        }
                    CHECK(y.at(n, oy, ox, c) == best);
                    CHECK_NEAR(average.at(n, oy, ox, c), total / count, 3e-7, context);
                    max_want.at(n, best_y, best_x, c) += dy.at(n, oy, ox, c);
                    for (int64_t ky = 0; ky < w.rows; ++ky)
                        for (int64_t kx = 0; kx < w.columns; ++kx) {
                            const int64_t py = oy * w.row_step - w.top + ky, px = ox * w.column_step - w.left + kx;
                            if (py < 0 || px < 0 || py >= size.h || px >= size.w) continue;
                            average_want.at(n, py, px, c) += dy.at(n, oy, ox, c) / static_cast<float>(count);
                        }
                }
    for (int64_t i = 0; i < dx.size(); ++i) {
        CHECK_NEAR(dx.flat(i), max_want.flat(i), 3e-6, context + " backward");
        CHECK_NEAR(average_dx.flat(i), average_want.flat(i), 3e-6, context + " average backward");
    }
}

void test_nan(const Table& table) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    for (const int64_t window : {2, 3})
        for (int64_t place = 0; place < 4; ++place) {
            Map x(1, 4, 4, 20), y(1, 4 / 2, 4 / 2, 20);
            x.fill(1);
            x.at(0, place / 2, place % 2, 3) = nan;
            std::vector<uint8_t> winners(y.size());
            const Pool pool = pool_of({1, 4, 4, 20}, window, window, 2, 2, true);
            const MaxPoolArgs args = {pool.window, x.view, y.view, x.data(), y.data(), {winners.data(), false}, false};
            run_all(table.max_pool, args);
            for (int64_t c = 0; c < 20; ++c) {
                CHECK(std::isnan(y.at(0, 0, 0, c)) == (c == 3));
                CHECK(y.at(0, 1, 1, c) == 1);
            }
        }
}

void test_global(const Table& table, const Size& size, Random& random) {
    const std::string context = striate::concat(table.isa, " global pool ", size.text());
    Map x = map_of(size, random), y = map_of({size.n, 1, 1, size.c}, random),
        best = map_of({size.n, 1, 1, size.c}, random);
    Map dy = map_of({size.n, 1, 1, size.c}, random), dx = map_of(size, random), best_dx = map_of(size, random);
    x.integers(random, -50, 50), dy.random(random);
    std::vector<int32_t> winners(size.n * size.c);
    const GlobalPoolArgs mean = {x.view, y.view, x.data(), y.data(), nullptr};
    run_twice(table.global_average_pool, mean, {&y}, random, context);
    const GlobalPoolArgs max = {x.view, best.view, x.data(), best.data(), winners.data()};
    run_twice(table.global_max_pool, max, {&best}, random, context);
    const GlobalPoolGradArgs mean_back = {dy.view, dx.view, dy.data(), dx.data(), nullptr};
    run_twice(table.global_average_pool_backward, mean_back, {&dx}, random, context);
    const GlobalPoolGradArgs max_back = {dy.view, best_dx.view, dy.data(), best_dx.data(), winners.data()};
    run_twice(table.global_max_pool_backward, max_back, {&best_dx}, random, context);
    const int64_t pixels = size.h * size.w;
    for (int64_t n = 0; n < size.n; ++n)
        for (int64_t c = 0; c < size.c; ++c) {
            double total = 0, top = -1e30;
            int64_t winner = 0;
            for (int64_t p = 0; p < pixels; ++p) {
                const double v = x.at(n, p / size.w, p % size.w, c);
                total += v;
                if (v > top) top = v, winner = p;
            }
            CHECK_NEAR(y.at(n, 0, 0, c), total / pixels, 1e-6, context);
            CHECK(best.at(n, 0, 0, c) == top);
            for (int64_t p = 0; p < pixels; ++p) {
                const double g = dy.at(n, 0, 0, c);
                CHECK_NEAR(dx.at(n, p / size.w, p % size.w, c), g / pixels, 1e-6, context);
                CHECK(best_dx.at(n, p / size.w, p % size.w, c) == (p == winner ? dy.at(n, 0, 0, c) : 0.0f));
            }
        }
}

}  // namespace

TEST_CASE("maxima and means of windows") {
    Random random(3);
    for (const Table* table : check::tables()) {
        for (const Size& size :
             {Size{2, 8, 8, 16}, Size{2, 7, 9, 6}, Size{1, 5, 5, 33}, Size{3, 4, 6, 1}, Size{1, 20, 20, 3}}) {
            for (const bool same : {false, true}) {
                test_windows(*table, size, pool_of(size, 2, 2, 2, 2, same), random);
                test_windows(*table, size, pool_of(size, 3, 3, 2, 2, same), random);
                test_windows(*table, size, pool_of(size, 3, 2, 1, 1, same), random);
                test_windows(*table, size, pool_of(size, 1, 2, 3, 3, same), random);
                test_windows(*table, size, pool_of(size, 4, 3, 4, 3, same), random);
            }
        }
        const Size large = {1, 20, 20, 3};
        test_windows(*table, large, pool_of(large, 17, 16, 3, 2, false), random);
        test_windows(*table, large, pool_of(large, 20, 20, 20, 20, true), random);
    }
}

TEST_CASE("maxima and means of NaN") {
    for (const Table* table : check::tables()) test_nan(*table);
}

TEST_CASE("maxima and means of whole maps") {
    Random random(3);
    for (const Table* table : check::tables())
        for (const Size& size : check::sizes()) test_global(*table, size, random);
}
