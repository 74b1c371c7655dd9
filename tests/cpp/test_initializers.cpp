// Initializers: their distributions against Keras's definitions, orthogonality, names and arguments.
#include "check.hpp"
#include "striate/error.hpp"
#include "striate/initializers.hpp"

using namespace striate;

namespace {

std::vector<float> draw(const std::string& name, const Shape& shape, uint64_t seed = 1, uint64_t stream = 0) {
    std::vector<float> out(static_cast<size_t>(element_count(shape)), -123.0f);
    initialize(name, shape, seed, stream, out.data(), "conv2d/kernel");
    return out;
}

struct Moments {
    double mean = 0, deviation = 0, low = 1e30, high = -1e30;
};

Moments moments(const std::vector<float>& values) {
    Moments m;
    for (float v : values) {
        m.mean += v / static_cast<double>(values.size());
        m.low = std::min(m.low, static_cast<double>(v));
        m.high = std::max(m.high, static_cast<double>(v));
    }
    for (float v : values) m.deviation += (v - m.mean) * (v - m.mean) / static_cast<double>(values.size());
    m.deviation = std::sqrt(m.deviation);
    return m;
}

// With n values, mean and deviation are off by less than 5 standard errors but once in a million draws; seeds are
// fixed.
void uniform(const std::string& name, const Shape& shape, double low, double high) {
    const std::vector<float> values = draw(name, shape);
    const double n = static_cast<double>(values.size()), deviation = (high - low) / std::sqrt(12.0);
    const Moments m = moments(values);
    CHECK_CLOSE(m.mean, (low + high) / 2, 5 * deviation / std::sqrt(n), name);
    CHECK_CLOSE(m.deviation, deviation, 5 * deviation / std::sqrt(n), name);
    CHECK(m.low >= static_cast<float>(low));
    CHECK(m.high <= static_cast<float>(high));
    CHECK_CLOSE(m.low, low, 30 * (high - low) / n, name);
    CHECK_CLOSE(m.high, high, 30 * (high - low) / n, name);
}

void normal(const std::string& name, const Shape& shape, double mean, double deviation, bool truncated) {
    const std::vector<float> values = draw(name, shape);
    const double n = static_cast<double>(values.size());
    const Moments m = moments(values);
    CHECK_CLOSE(m.mean, mean, 5 * deviation / std::sqrt(n), name);
    CHECK_CLOSE(m.deviation, deviation, 5 * deviation / std::sqrt(n), name);
    const double edge = 2 * deviation / 0.87962566103423978;
    if (truncated) {
        CHECK(m.low >= mean - edge * 1.000001);
        CHECK(m.high <= mean + edge * 1.000001);
        CHECK(m.low < mean - 0.95 * edge);
        CHECK(m.high > mean + 0.95 * edge);
    } else {
        CHECK(m.low < mean - 3 * deviation);
        CHECK(m.high > mean + 3 * deviation);
    }
    // The share within one standard deviation of the untruncated variable.
    const double sigma = truncated ? deviation / 0.87962566103423978 : deviation;
    double within = 0;
    for (float v : values) within += std::fabs(v - mean) < sigma ? 1 / n : 0;
    CHECK_CLOSE(within, truncated ? 0.6826894921 / 0.9544997361 : 0.6826894921, 5 * 0.5 / std::sqrt(n), name);
}

TEST_CASE("constant and identity initializers") {
    for (float v : draw("zeros", {3, 4})) {
        CHECK(v == 0.0f);
        CHECK(!std::signbit(v));
    }
    for (float v : draw("ones", {5})) CHECK(v == 1.0f);
    for (float v : draw("constant(0.1)", {5})) CHECK(v == 0.1f);
    for (float v : draw("constant( -2.5e-1 )", {5})) CHECK(v == -0.25f);
    for (float v : draw("constant", {5})) CHECK(v == 0.0f);
    CHECK(draw("zeros", {}).size() == 1);
    CHECK(draw("zeros", {0, 3}).empty());
    const std::vector<float> tall = draw("identity(2)", {3, 2}), wide = draw("identity", {2, 3});
    CHECK(tall == std::vector<float>({2, 0, 0, 2, 0, 0}));
    CHECK(wide == std::vector<float>({1, 0, 0, 0, 1, 0}));
}

TEST_CASE("distributions of random initializers") {
    uniform("random_uniform", {300, 100}, -0.05, 0.05);
    uniform("random_uniform(2,5)", {30000}, 2, 5);
    normal("random_normal", {300, 100}, 0, 0.05, false);
    normal("random_normal(3, 0.5)", {30000}, 3, 0.5, false);
    normal("truncated_normal", {300, 100}, 0, 0.05 * 0.87962566103423978, true);
    normal("truncated_normal(-1,2)", {30000}, -1, 2 * 0.87962566103423978, true);

    // A 5x5 kernel from 12 to 20 channels: fan-in 300, fan-out 500.
    const Shape kernel{5, 5, 12, 20};
    uniform("glorot_uniform", kernel, -std::sqrt(6.0 / 800), std::sqrt(6.0 / 800));
    uniform("he_uniform", kernel, -std::sqrt(6.0 / 300), std::sqrt(6.0 / 300));
    uniform("lecun_uniform", kernel, -std::sqrt(3.0 / 300), std::sqrt(3.0 / 300));
    normal("glorot_normal", kernel, 0, std::sqrt(2.0 / 800), true);
    normal("he_normal", kernel, 0, std::sqrt(2.0 / 300), true);
    normal("lecun_normal", kernel, 0, std::sqrt(1.0 / 300), true);
    // Dense: fan-in 80, fan-out 120. Depthwise, 3x3, 400 channels, multiplier 2: 3600 and 18. A vector: its length,
    // twice.
    uniform("glorot_uniform", {80, 120}, -std::sqrt(6.0 / 200), std::sqrt(6.0 / 200));
    uniform("glorot_uniform", {3, 3, 400, 2}, -std::sqrt(6.0 / 3618), std::sqrt(6.0 / 3618));
    uniform("he_uniform", {3, 3, 400, 2}, -std::sqrt(6.0 / 3600), std::sqrt(6.0 / 3600));
    uniform("glorot_uniform", {9000}, -std::sqrt(6.0 / 18000), std::sqrt(6.0 / 18000));
}

void orthogonal(const Shape& shape, double gain) {
    const std::vector<float> q = draw("orthogonal(" + std::to_string(gain) + ")", shape, 3, 5);
    const int64_t columns = shape.back(), rows = static_cast<int64_t>(q.size()) / columns;
    const bool tall = rows >= columns;
    const int64_t count = tall ? columns : rows, length = tall ? rows : columns;
    const auto at = [&](int64_t vector, int64_t i) {
        return double{tall ? q[i * columns + vector] : q[vector * columns + i]};
    };
    for (int64_t a = 0; a < count; ++a)
        for (int64_t b = a; b < count; ++b) {
            double product = 0;
            for (int64_t i = 0; i < length; ++i) product += at(a, i) * at(b, i);
            CHECK_CLOSE(product, a == b ? gain * gain : 0, 1e-6 * gain * gain, to_string(shape));
        }
    const Moments m = moments(q);
    CHECK_CLOSE(m.mean, 0, 5 * m.deviation / std::sqrt(static_cast<double>(q.size())) + (q.size() == 1 ? 2 : 0),
                to_string(shape));
}

// With a positive diagonal of R the first column is the direction of the drawn one, so that both signs come up.
TEST_CASE("orthogonal initializers draw both signs") {
    int negative = 0;
    for (uint64_t seed = 0; seed < 200; ++seed) negative += draw("orthogonal", {1, 1}, seed)[0] < 0;
    CHECK(negative > 60);
    CHECK(negative < 140);
    int up = 0;
    for (uint64_t seed = 0; seed < 200; ++seed) up += draw("orthogonal", {4, 4}, seed)[15] > 0;
    CHECK(up > 60);
    CHECK(up < 140);
}

TEST_CASE("weights of different layers are different, and the same for the same seed") {
    for (const char* name : {"glorot_uniform", "he_normal", "orthogonal", "random_normal"}) {
        const std::vector<float> first = draw(name, {7, 9}, 5, 2);
        CHECK(first == draw(name, {7, 9}, 5, 2));
        CHECK(first != draw(name, {7, 9}, 6, 2));
        CHECK(first != draw(name, {7, 9}, 5, 3));
    }
}

TEST_CASE("names and arguments of initializers") {
    CHECK(initializer_names().size() == 14);
    for (const std::string& name : initializer_names()) check_initializer(name, "dense");
    CHECK(draw("GlorotUniform", {4, 4}) == draw("glorot_uniform", {4, 4}));
    CHECK(draw("RandomNormal(0,1)", {4, 4}) == draw("random_normal(0, 1)", {4, 4}));
    CHECK(draw("orthogonal()", {4, 4}) == draw("orthogonal", {4, 4}));

    const auto refuse = [](const char* name, const char* text) {
        CHECK_THROWS_WITH_AS(check_initializer(name, "dense"), Contains(text), ValueError);
    };
    refuse("glorot_unifrm", "[dense] there is no initializer 'glorot_unifrm'; did you mean 'glorot_uniform'");
    refuse("", "[dense] there is no initializer ''; choose one of: zeros, ones");
    refuse("qqqqqqqq", "choose one of: zeros, ones, constant");
    refuse("constant(1", "[dense] initializer 'constant(1' does not end with ')'");
    refuse("constant(x)", "[dense] initializer 'constant(x)' has 'x' where a number is expected");
    refuse("constant(1 2)", "where a number is expected");
    refuse("constant(1,2)", "takes 1 argument(s)");
    refuse("zeros(1)", "takes 0 argument(s)");
    refuse("constant(1e999)", "where a number is expected");
    refuse("constant(nan)", "where a number is expected");
    refuse("random_uniform(1,0)", "has a minimum above its maximum");
    refuse("random_normal(0,-1)", "has a negative standard deviation");
    refuse("truncated_normal(0,-1)", "has a negative standard deviation");
    CHECK_THROWS_WITH_AS(
        draw("orthogonal", {3}),
        Contains("[conv2d/kernel] initializer 'orthogonal' needs a shape of two dimensions or more, got (3,)"),
        ValueError);
    CHECK_THROWS_WITH_AS(draw("identity", {3, 3, 1, 1}), Contains("needs a shape of two dimensions, got (3, 3, 1, 1)"),
                         ValueError);
}

}  // namespace

TEST_CASE("orthogonal initializers") {
    orthogonal({40, 40}, 1);
    orthogonal({100, 30}, 1);
    orthogonal({30, 100}, 0.5);
    orthogonal({3, 3, 8, 24}, 2);
    orthogonal({3, 1, 2, 50}, 1);
    orthogonal({5, 1}, 1);
    orthogonal({1, 5}, 1);
}
