// Kernels of grouped convolutions on every instruction set that runs here, against a definition in double precision.
#include <array>

#include "convolution_definition.hpp"
#include "cpu/grouped.hpp"

using namespace striate;
using namespace striate::convolution;
using check::define;
using check::Definition;
using check::integers;
using check::Map;
using check::map_of;
using check::problem;
using check::Random;
using check::text;
using kernels::Table;

namespace {

// A buffer with room for the vectors of the kernels to be aligned to nothing, whose surroundings are watched.
struct Buffer {
    explicit Buffer(int64_t floats) : memory(floats + 3 + 16, -55.0f), size(floats) {}
    float* data() { return memory.data() + 3; }
    bool intact() const {
        for (size_t i = 0; i < memory.size(); ++i)
            if ((i < 3 || i >= 3 + static_cast<size_t>(size)) && memory[i] != -55.0f) return false;
        return true;
    }
    std::vector<float> memory;
    int64_t size;
};

// What the values are, and how far from the definition's a kernel's may be, relative to the sum of the products' sizes.
// Sums of small integers are exact.
struct Numbers {
    bool integers;
    double tolerance() const { return integers ? 0 : 1e-6; }
    std::vector<float> draw(int64_t count, Random& random) const {
        if (integers) return check::integers(count, random);
        std::vector<float> values(count);
        for (float& v : values) v = static_cast<float>(random.normal());
        return values;
    }
    Map map(int64_t n, int64_t h, int64_t w, int64_t c, const Halo& halo, Random& random) const {
        Map map = map_of(n, h, w, c, halo, random.integer(0, 2) == 0 ? random.integer(1, 5) : 0, random);
        if (!integers)
            for (int64_t i = 0; i < map.size(); ++i) map.flat(i) = static_cast<float>(random.normal());
        return map;
    }
};

struct Wanted {
    Definition values, sizes;  // `sizes`: of the absolute values of all products
};
Map absolute(Map map) {
    for (int64_t i = 0; i < map.size(); ++i) map.flat(i) = std::fabs(map.flat(i));
    return map;
}
Wanted wanted(const Problem& p, int64_t n, const Map& x, const Map& dy, const std::vector<float>& w) {
    std::vector<float> sizes = w;
    for (float& v : sizes) v = std::fabs(v);
    return {define(p, n, x, dy, w), define(p, n, absolute(x), absolute(dy), sizes)};
}

template <class Get>
void compare(Get get, const std::vector<double>& want, const std::vector<double>& sizes, double tolerance,
             const std::string& context) {
    size_t i = 0;
    while (i < want.size() && std::fabs(get(i) - want[i]) <= tolerance * sizes[i]) ++i;
    CHECK_MESSAGE(i == want.size(), "element ", i, " is ", get(i), ", want ", want[i], ": ", context);
}

void check_forward(const Table& table, const Numbers& numbers, const Problem& p, int64_t n, const Map& x,
                   const std::vector<float>& w, const Wanted& wanted, Random& random, const std::string& context) {
    Map y(n, p.out_h, p.out_w, p.out_c, random.integer(0, 1), random.integer(0, 1) * 3, -77);
    GroupedForward l = grouped_forward(p, x.view, y.view, check::machine_of(table));
    Buffer packed(l.packed_floats);
    l.pack.src = w.data(), l.pack.dst = packed.data();
    check::run_in_pieces(table.pack_weights, l.pack, kernels::units(l.pack), random);
    CHECK(packed.intact());
    const std::vector<float> bias = numbers.draw(p.out_c, random);
    l.conv.x = x.data(), l.conv.y = y.data(), l.conv.weights = packed.data();
    l.conv.bias = random.integer(0, 1) ? bias.data() : nullptr;
    l.conv.epilogue = any_epilogue(random);
    check::run_twice(table.grouped_conv, l.conv, {&y}, random, context);
    std::vector<double> want = wanted.values.y, sizes = wanted.sizes.y;
    for (size_t i = 0; i < want.size(); ++i) {
        if (l.conv.bias) want[i] += bias[i % p.out_c], sizes[i] += std::fabs(bias[i % p.out_c]);
        want[i] = check::applied(l.conv.epilogue, want[i]);
    }
    compare([&](int64_t i) { return y.flat(i); }, want, sizes, numbers.tolerance(), "forward " + context);

    // Added to what is in y, before the activation.
    Map added = y;
    for (int64_t i = 0; i < y.size(); ++i) {
        const float before = static_cast<float>(random.integer(-20, 20));
        added.flat(i) = before;
        want[i] = wanted.values.y[i] + before + (l.conv.bias ? bias[i % p.out_c] : 0);
        want[i] = check::applied(l.conv.epilogue, want[i]);
        sizes[i] += std::fabs(before);
    }
    l.conv.accumulate = true, l.conv.y = added.data();
    check::run_in_pieces(table.grouped_conv, l.conv, kernels::units(l.conv), random);
    CHECK(added.intact());
    compare([&](int64_t i) { return added.flat(i); }, want, sizes, numbers.tolerance(), "accumulate " + context);
}

void check_to_input(const Table& table, const Numbers& numbers, const Problem& p, int64_t n, const Map& dy,
                    const std::vector<float>& w, const Wanted& wanted, Random& random, const std::string& context) {
    Map dx(n, p.in_h, p.in_w, p.in_c, random.integer(0, 1), random.integer(0, 1) * 3, -77), again = dx;
    dx.fill(4321);
    for (GroupedToInput& l : grouped_to_input(p, dy.view, dx.view, check::machine_of(table))) {
        Buffer packed(l.packed_floats);
        l.pack.src = w.data(), l.pack.dst = packed.data();
        check::run_in_pieces(table.pack_grouped, l.pack, kernels::units(l.pack), random);
        CHECK(packed.intact());
        l.conv.x = dy.data(), l.conv.weights = packed.data();
        l.conv.y = dx.data();
        check::run_all(table.grouped_conv, l.conv);
        l.conv.y = again.data();
        check::run_in_pieces(table.grouped_conv, l.conv, kernels::units(l.conv), random);
    }
    CHECK(dx.intact());
    CHECK(again.intact());
    CHECK_MESSAGE(dx.same_values(again), "depends on how it is split: to input ", context);
    compare([&](int64_t i) { return dx.flat(i); }, wanted.values.dx, wanted.sizes.dx, numbers.tolerance(),
            "to input " + context);
}

void check_to_weights(const Table& table, const Numbers& numbers, const Problem& p, const Map& x, const Map& dy,
                      const Wanted& wanted, Random& random, const std::string& context) {
    GroupedToWeights l = grouped_to_weights(p, x.view, dy.view, check::machine_of(table));
    const auto count = static_cast<int64_t>(wanted.values.dw.size());
    CHECK(l.direct == (l.weights.pieces == 1));
    CHECK(l.slot_floats == l.weights.pieces * count);
    std::vector<float> first;
    for (int round = 0; round < 2; ++round) {
        Buffer slots(l.slot_floats), dw(count);
        l.weights.x = x.data(), l.weights.dy = dy.data();
        l.weights.slots = l.direct ? dw.data() : slots.data();
        if (round) {
            check::run_in_pieces(table.grouped_weights, l.weights, kernels::units(l.weights), random);
        } else {
            check::run_all(table.grouped_weights, l.weights);
        }
        if (!l.direct) {
            l.sum.slots = slots.data(), l.sum.out = dw.data();
            check::run_in_pieces(table.sum_slots, l.sum, kernels::units(l.sum), random);
        }
        CHECK(slots.intact());
        CHECK(dw.intact());
        compare([&](int64_t i) { return dw.data()[i]; }, wanted.values.dw, wanted.sizes.dw, numbers.tolerance(),
                "to weights " + context);
        if (round) CHECK_MESSAGE(dw.memory == first, "depends on how it is split: to weights ", context);
        first = dw.memory;
    }
}

// Returns how many tables have kernels for the problem.
int check_all(const Numbers& numbers, const Problem& p, int64_t n, Random& random) {
    if (p.out_h < 1 || p.out_w < 1) return 0;
    const Map x = numbers.map(n, p.in_h, p.in_w, p.in_c, input_halo(p), random);
    const Map dy = numbers.map(n, p.out_h, p.out_w, p.out_c, output_halo(p), random);
    const std::vector<float> w = numbers.draw(p.kernel.h * p.kernel.w * p.in_c / p.groups * p.out_c, random);
    const Wanted want = wanted(p, n, x, dy, w);
    int checked = 0;
    for (const Table* table : check::tables()) {
        if (!groups_fit(p, check::machine_of(*table))) continue;
        ++checked;
        const std::string context = text(p, n, table->isa);
        check_forward(*table, numbers, p, n, x, w, want, random, context);
        check_to_input(*table, numbers, p, n, dy, w, want, random, context);
        check_to_weights(*table, numbers, p, x, dy, want, random, context);
    }
    return checked;
}

void test_chosen(const Numbers& numbers) {
    Random random(1);
    for (const int64_t group : {1, 2, 4, 8, 16}) {
        const auto both = [&](int64_t n, int64_t h, int64_t w, int64_t channels, Pair k, Pair s = 1, Pair d = 1) {
            for (const bool same : {true, false}) {
                const Problem p = problem(h, w, channels, channels, k, s, d, channels / group, same);
                const int checked = check_all(numbers, p, n, random);
                CHECK((p.out_h < 1 || p.out_w < 1 || group > 2 || checked > 0));
            }
        };
        both(2, 14, 14, 64, 3);
        both(1, 3, 28, 32, 3);
        both(2, 1, 1, 2 * group, 3);  // one pixel, less than a vector
        both(2, 7, 9, 3 * group, 3);
        both(11, 1, 1, 5 * group, 3);  // along the images
        both(9, 4, 2, 3 * group, 3, {1, 2});
        both(1, 5, 31, 48 + group, {3, 5});
        both(2, 9, 17, 5 * group, 1);
        both(3, 8, 11, 32, 3, 2);
        both(2, 11, 10, 32, 2, 3);  // stride larger than the kernel: phases without taps
        both(1, 13, 12, 32, 3, 2, 2);
        both(2, 9, 9, 16 + 2 * group, {3, 1}, {1, 2}, {2, 1});
    }
    // Several pieces of the gradient to weights.
    check_all(numbers, problem(28, 28, 64, 64, 3, 1, 1, 16, true), 8, random);
    check_all(numbers, problem(20, 150, 40, 40, 3, 1, 1, 5, true), 3, random);
}

void test_random(const Numbers& numbers) {
    Random random(2);
    int checked = 0;
    for (int64_t i = 0; i < check::many(200); ++i) {
        const int64_t group = int64_t{1} << random.integer(0, 4), groups = random.integer(2, 40 / group + 2);
        const Pair kernel(random.integer(1, 5), random.integer(1, 5)),
            stride(random.integer(1, 3), random.integer(1, 3));
        checked +=
            check_all(numbers,
                      problem(random.integer(1, 12), random.integer(1, 33), group * groups, group * groups, kernel,
                              stride, {random.integer(1, 3), random.integer(1, 3)}, groups, random.integer(0, 1)),
                      random.integer(1, 4), random);
    }
    CHECK(checked > check::many(20, 8) * static_cast<int64_t>(check::tables().size()));  // of 200
}

TEST_CASE("the rule that chooses the kernel of grouped convolutions") {
    const auto fits = [](int64_t in, int64_t out, int64_t groups, int lanes) {
        return groups_fit(problem(9, 9, in, out, 3, 1, 1, groups, true), Machine::of(lanes));
    };
    CHECK(fits(128, 128, 32, 16));
    CHECK(fits(128, 128, 32, 8));
    CHECK(fits(128, 128, 32, 4));
    CHECK(fits(128, 128, 16, 16));
    CHECK(fits(128, 128, 16, 8));
    CHECK(!fits(128, 128, 16, 4));
    const auto vector_fits = [](int64_t side, int64_t kernel) {
        return groups_fit(problem(side, side, 128, 128, kernel, 1, 1, 8, true), Machine::of(16));
    };
    CHECK(vector_fits(9, 3));
    CHECK(!vector_fits(9, 1));
    CHECK(!vector_fits(7, 3));
    CHECK(fits(128, 128, 128, 16));
    CHECK(!fits(128, 128, 1, 16));
    CHECK(!fits(128, 256, 32, 16));
    CHECK(!fits(96, 96, 32, 16));
    CHECK(!fits(128, 128, 4, 16));
}

TEST_CASE("NaN and infinity reach only the outputs that depend on them") {
    Random random(3);
    const Problem p = problem(3, 21, 24, 24, 3, 1, 1, 6, true);
    Map x = map_of(1, p.in_h, p.in_w, p.in_c, input_halo(p), 0, random);
    x.at(0, 1, 1, 2) = std::numeric_limits<float>::quiet_NaN();
    x.at(0, 1, 1, 22) = std::numeric_limits<float>::infinity();
    const std::vector<float> w(9 * 4 * 24, 1.0f);
    for (const Table* table : check::tables()) {
        Map y(1, 3, 21, 24);
        GroupedForward l = grouped_forward(p, x.view, y.view, check::machine_of(*table));
        Buffer packed(l.packed_floats);
        l.pack.src = w.data(), l.pack.dst = packed.data();
        check::run_all(table->pack_weights, l.pack);
        l.conv.x = x.data(), l.conv.y = y.data(), l.conv.weights = packed.data(),
        l.conv.epilogue = {kernels::ActivationKind::relu};
        check::run_all(table->grouped_conv, l.conv);
        for (int64_t c = 0; c < 24; ++c) {
            CHECK(std::isnan(y.at(0, 0, 0, c)) == (c < 4));
            CHECK(std::isnan(y.at(0, 2, 2, c)) == (c < 4));
            CHECK(std::isinf(y.at(0, 0, 0, c)) == (c >= 20));
            CHECK(std::isfinite(y.at(0, 0, 3, c)));
        }
    }
}

}  // namespace

TEST_CASE("grouped convolutions of chosen shapes") {
    for (const bool whole : {true, false}) test_chosen({whole});
}

TEST_CASE("grouped convolutions of random shapes") {
    for (const bool whole : {true, false}) test_random({whole});
}
