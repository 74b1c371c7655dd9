// Counter-based random numbers: published test vectors, distributions, permutations; dropout, which draws the same
// words.
#include <algorithm>
#include <cmath>

#include "kernel_check.hpp"
#include "striate/random.hpp"

using namespace striate::kernels;
using check::Map;
using check::Random;
using check::run_all;
using check::Size;

namespace {

// The known answers of Random123, the authors' own code, for Philox4x32-10.
TEST_CASE("Philox4x32-10 gives the known answers of Random123") {
    using Words = std::array<uint32_t, 4>;
    CHECK(striate::philox(0, 0, 0) == (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
    CHECK(striate::philox(~0ull, ~0ull, ~0ull) == (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
    CHECK(striate::philox(0x299f31d0a4093822, 0x0370734413198a2e, 0x85a308d3243f6a88) ==
          (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

struct Moments {
    double mean = 0, deviation = 0, low = 1e30, high = -1e30;
    explicit Moments(const std::vector<float>& values) {
        for (const float v : values) mean += v / double(values.size());
        for (const float v : values) {
            deviation += std::pow(v - mean, 2) / double(values.size());
            low = std::min<double>(low, v), high = std::max<double>(high, v);
        }
        deviation = std::sqrt(deviation);
    }
};

TEST_CASE("distributions of random numbers") {
    std::vector<float> values(200001), part(1001);
    striate::fill_uniform(values.data(), values.size(), -2, 3, 1, 2);
    Moments m(values);
    CHECK(m.low >= -2);
    CHECK(m.high < 3);
    CHECK_CLOSE(m.mean, 0.5, 0.02, "uniform");
    CHECK_CLOSE(m.deviation, 5 / std::sqrt(12.0), 0.01, "uniform");
    striate::fill_uniform(part.data(), part.size(), -2, 3, 1, 2);
    CHECK(std::equal(part.begin(), part.end(), values.begin()));
    striate::fill_uniform(part.data(), part.size(), -2, 3, 1, 3);
    CHECK(!std::equal(part.begin(), part.end(), values.begin()));
    striate::fill_uniform(part.data(), part.size(), 5, 5, 1, 3);
    CHECK(part[0] == 5);
    CHECK(part.back() == 5);

    striate::fill_normal(values.data(), values.size(), 1, 2, 7, 0);
    m = Moments(values);
    CHECK_CLOSE(m.mean, 1, 0.02, "normal");
    CHECK_CLOSE(m.deviation, 2, 0.02, "normal");
    CHECK(m.high > 8);
    CHECK(m.low < -6);
    striate::fill_normal(part.data(), part.size(), 1, 2, 7, 0);
    CHECK(std::equal(part.begin(), part.end(), values.begin()));

    striate::fill_truncated_normal(values.data(), values.size(), 1, 2, 7, 0);
    m = Moments(values);
    CHECK(m.low >= -3);
    CHECK(m.high <= 5);
    CHECK(m.low < -2.99);
    CHECK(m.high > 4.99);
    CHECK_CLOSE(m.mean, 1, 0.02, "truncated normal");
    CHECK_CLOSE(m.deviation, 2 * 0.87962566103423978, 0.02, "truncated normal");
}

TEST_CASE("permutations") {
    CHECK(striate::permutation(1, 0, 0).empty());
    CHECK_THROWS_WITH_AS(striate::permutation(1, 0, -1), Contains("negative"), std::invalid_argument);
    std::vector<int64_t> order = striate::permutation(1, 0, 1000);
    CHECK(order == striate::permutation(1, 0, 1000));
    CHECK(order != striate::permutation(1, 1, 1000));
    CHECK(order != striate::permutation(2, 0, 1000));
    std::sort(order.begin(), order.end());
    for (int64_t i = 0; i < 1000; ++i) CHECK(order[i] == i);
    // All 24 orders of 4 elements, equally often: chi-squared with 23 degrees of freedom stays below 60 in all but one
    // of 30,000.
    std::vector<double> seen(256);
    const int rounds = 24000;
    for (int epoch = 0; epoch < rounds; ++epoch) {
        const std::vector<int64_t> p = striate::permutation(3, epoch, 4);
        seen[p[0] * 64 + p[1] * 16 + p[2] * 4 + p[3]] += 1;
    }
    double chi = 0;
    int kinds = 0;
    for (const double count : seen)
        if (count > 0) ++kinds, chi += std::pow(count - rounds / 24.0, 2) / (rounds / 24.0);
    CHECK(kinds == 24);
    CHECK(chi < 60);
}

bool kept(const RandomSource& source, double rate, int64_t of_part) {
    const int64_t element = source.row * source.first_row + of_part;
    const uint64_t block = static_cast<uint64_t>(element / 64 * 16 + element % 16);
    const auto words = striate::philox(source.seed, source.stream, uint64_t{source.step} << 32 | block);
    return words[element % 64 / 16] >= rate * 4294967296.0;
}

void test_dropout(const Table& table, const Size& size, double rate, Random& random) {
    const std::string context = striate::concat(table.isa, " dropout ", size.text(), " rate ", rate);
    // A whole batch, or a part of one, whose first element may be anywhere.
    const int64_t row = random.integer(0, 100), first_row = random.integer(0, 1) * random.integer(0, 50);
    const RandomSource source = {random.bits(), random.bits(), 7, row, first_row};
    Map x = map_of(size, random), y = map_of(size, random), dy = map_of(size, random), dx = map_of(size, random);
    x.random(random), dy.random(random);
    std::vector<uint8_t> mask(x.size());
    const DropoutArgs forward = {source, rate, x.view, y.view, x.data(), y.data(), mask.data()};
    run_twice(table.dropout, forward, {&y}, random, context);
    for (const bool stored : {true, false}) {
        const DropoutGradArgs backward = {
            source, rate, dy.view, dx.view, dy.data(), dx.data(), stored ? mask.data() : nullptr};
        run_twice(table.dropout_backward, backward, {&dx}, random, context + " backward");
        for (int64_t i = 0; i < x.size(); ++i)
            CHECK_NEAR(dx.flat(i), kept(source, rate, i) ? dy.flat(i) / (1 - rate) : 0.0, 2e-7, context + " backward");
    }
    for (int64_t i = 0; i < x.size(); ++i) {
        CHECK(mask[i] == kept(source, rate, i));
        CHECK_NEAR(y.flat(i), kept(source, rate, i) ? x.flat(i) / (1 - rate) : 0.0, 2e-7, context);
    }
    const DropoutArgs bare = {source, rate, x.view, dx.view, x.data(), dx.data(), nullptr};
    run_twice(table.dropout, bare, {&dx}, random, context);
    CHECK(dx.same_values(y));

    std::vector<float> factors(x.size());
    const DropoutFactorsArgs args = {source, rate, x.size(), factors.data()};
    run_in_pieces(table.dropout_factors, args, units(args), random);
    for (int64_t i = 0; i < x.size(); ++i)
        CHECK_NEAR(factors[i], kept(source, rate, i) ? 1 / (1 - rate) : 0.0, 2e-7, context);
}

void test_dropout_rate(const Table& table) {
    Map x(1, 1, 1, 100000), y(1, 1, 1, 100000);
    x.fill(1);
    for (const double rate : {0.1, 0.5, 0.9}) {
        const DropoutArgs args = {{1, 2, 3}, rate, x.view, y.view, x.data(), y.data(), nullptr};
        run_all(table.dropout, args);
        double total = 0;
        for (int64_t i = 0; i < y.size(); ++i) total += y.flat(i);
        CHECK_CLOSE(total / 1e5, 1.0, 0.03, "dropout keeps the mean");
    }
}

}  // namespace

TEST_CASE("dropout draws the words of the definition") {
    Random random(6);
    for (const Table* table : check::tables())
        for (const Size& size : check::sizes())
            for (const double rate : {0.0, 0.3, 0.5}) test_dropout(*table, size, rate, random);
}

TEST_CASE("the share of dropped elements") {
    for (const Table* table : check::tables()) test_dropout_rate(*table);
}
