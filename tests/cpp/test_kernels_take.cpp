// Elements along an axis by their numbers, and products of matrices, against their definitions in double precision.
#include "kernel_check.hpp"

using namespace striate::kernels;
using check::Map;
using check::Random;
using check::Size;

namespace {

void test_take(const Table& table, const Size& size, Random& random) {
    for (int axis = 0; axis < 3; ++axis) {
        const std::string context = striate::concat(table.isa, " take ", size.text(), " axis ", axis);
        int64_t sides[] = {size.h, size.w, size.c};
        const int64_t count = sides[axis], taken = random.integer(1, count + 2);
        std::vector<int64_t> indices(taken);
        for (int64_t& index : indices) index = random.integer(0, count - 1);
        sides[axis] = taken;
        const Size other{size.n, sides[0], sides[1], sides[2]};
        Map x = map_of(size, random), y = map_of(other, random), dy = map_of(other, random), dx = map_of(size, random);
        x.random(random), dy.random(random);
        run_twice(table.take, {x.view, y.view, axis, indices.data(), x.data(), y.data()}, {&y}, random, context);
        std::vector<int64_t> begins{0}, places;
        for (int64_t i = 0; i < count; ++i) {
            for (int64_t j = 0; j < taken; ++j)
                if (indices[j] == i) places.push_back(j);
            begins.push_back(static_cast<int64_t>(places.size()));
        }
        const TakeGradArgs back = {dy.view, dx.view, axis, begins.data(), places.data(), dy.data(), dx.data()};
        run_twice(table.take_backward, back, {&dx}, random, context + " backward");
        Map want(size.n, size.h, size.w, size.c);
        want.fill(0);
        for (int64_t n = 0; n < other.n; ++n)
            for (int64_t h = 0; h < other.h; ++h)
                for (int64_t w = 0; w < other.w; ++w)
                    for (int64_t c = 0; c < other.c; ++c) {
                        int64_t at[] = {h, w, c};
                        at[axis] = indices[at[axis]];
                        CHECK(y.at(n, h, w, c) == x.at(n, at[0], at[1], at[2]));
                        want.at(n, at[0], at[1], at[2]) += dy.at(n, h, w, c);
                    }
        for (int64_t i = 0; i < dx.size(); ++i) CHECK_NEAR(dx.flat(i), want.flat(i), 1e-6, context + " backward");
    }
}

void test_matmul(const Table& table, const Size& size, Random& random) {
    // Matrices of size.w rows and size.c columns; the sum is over `depth`.
    for (const int64_t depth : {int64_t{1}, int64_t{7}, int64_t{50}})
        for (const MatMulKind kind : {MatMulKind::plain, MatMulKind::first_transposed, MatMulKind::second_transposed}) {
            const bool a_turned = kind == MatMulKind::first_transposed,
                       b_turned = kind == MatMulKind::second_transposed;
            const std::string context =
                striate::concat(table.isa, " matmul ", size.text(), " over ", depth, " kind ", static_cast<int>(kind));
            const Size left{size.n, size.h, a_turned ? depth : size.w, a_turned ? size.w : depth};
            const Size right{size.n, size.h, b_turned ? size.c : depth, b_turned ? depth : size.c};
            Map a = map_of(left, random), b = map_of(right, random), y = map_of(size, random);
            a.random(random), b.random(random);
            run_twice(table.matmul, {kind, a.view, b.view, y.view, a.data(), b.data(), y.data()}, {&y}, random,
                      context);
            for (int64_t n = 0; n < size.n; ++n)
                for (int64_t h = 0; h < size.h; ++h)
                    for (int64_t i = 0; i < size.w; ++i)
                        for (int64_t j = 0; j < size.c; ++j) {
                            double want = 0;
                            for (int64_t k = 0; k < depth; ++k)
                                want += double(a_turned ? a.at(n, h, k, i) : a.at(n, h, i, k)) *
                                        (b_turned ? b.at(n, h, j, k) : b.at(n, h, k, j));
                            CHECK_NEAR(y.at(n, h, i, j), want, 1e-5, context);
                        }
        }
}

}  // namespace

TEST_CASE("elements are taken along an axis") {
    Random random(12);
    for (const Table* table : check::tables())
        for (const Size& size : check::sizes()) test_take(*table, size, random);
}

TEST_CASE("products of matrices") {
    Random random(12);
    for (const Table* table : check::tables()) {
        for (const Size& size : check::sizes()) test_matmul(*table, size, random);
        test_matmul(*table, {1, 2, 70, 37}, random);  // several units of a matrix
    }
}
