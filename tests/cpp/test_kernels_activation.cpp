// Activations, PReLU and softmax against their definitions in double precision.
#include <cmath>

#include "kernel_check.hpp"

using namespace striate::kernels;
using check::Map;
using check::Random;
using check::run_all;
using check::Size;

namespace {

struct Case {
    ActivationKind kind;
    const char* name;
    float alpha = 0, threshold = 0, ceiling = 0;
    double low = -8, high = 8;  // of inputs
};
const Case kCases[] = {
    {ActivationKind::linear, "linear"},
    {ActivationKind::relu, "relu"},
    {ActivationKind::relu6, "relu6"},
    {ActivationKind::leaky_relu, "leaky_relu", 0.2f},
    {ActivationKind::elu, "elu", 1.5f},
    {ActivationKind::sigmoid, "sigmoid"},
    {ActivationKind::tanh, "tanh"},
    {ActivationKind::softplus, "softplus"},
    {ActivationKind::silu, "silu"},
    {ActivationKind::gelu, "gelu"},
    {ActivationKind::gelu_tanh, "gelu_tanh"},
    {ActivationKind::hard_sigmoid, "hard_sigmoid"},
    {ActivationKind::hard_swish, "hard_swish"},
    {ActivationKind::rectifier, "rectifier", 0.1f, 0.5f, 2.0f},
    {ActivationKind::exponential, "exponential", 0, 0, 0, -8, 4},
    {ActivationKind::log, "log", 0, 0, 0, 0.25, 8},
    {ActivationKind::sqrt, "sqrt", 0, 0, 0, 0.25, 8},
    {ActivationKind::abs, "abs"},
    {ActivationKind::reciprocal, "reciprocal", 0, 0, 0, 0.25, 8},
    {ActivationKind::reciprocal_no_nan, "reciprocal_no_nan", 0, 0, 0, 0.25, 8},
    {ActivationKind::erf, "erf"},
};
const double kPi = 3.14159265358979324;

double sigmoid(double x) {
    return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
}

double value(const Case& a, double x) {
    const double alpha = a.alpha, threshold = a.threshold, ceiling = a.ceiling;
    switch (a.kind) {
        case ActivationKind::linear:
            return x;
        case ActivationKind::relu:
            return x < 0 ? 0 : x;
        case ActivationKind::relu6:
            return x < 0 ? 0 : x > 6 ? 6 : x;
        case ActivationKind::leaky_relu:
            return x < 0 ? alpha * x : x;
        case ActivationKind::elu:
            return x > 0 ? x : alpha * std::expm1(x);
        case ActivationKind::sigmoid:
            return sigmoid(x);
        case ActivationKind::tanh:
            return std::tanh(x);
        case ActivationKind::softplus:
            return x > 30 ? x : std::log1p(std::exp(x));
        case ActivationKind::silu:
            return x * sigmoid(x);
        case ActivationKind::gelu:
            return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
        case ActivationKind::gelu_tanh:
            return 0.5 * x * (1 + std::tanh(std::sqrt(2 / kPi) * (x + 0.044715 * x * x * x)));
        case ActivationKind::hard_sigmoid:
            return std::isnan(x) ? x : std::fmin(std::fmax(x + 3, 0), 6) / 6;
        case ActivationKind::hard_swish:
            return x * (std::isnan(x) ? x : std::fmin(std::fmax(x + 3, 0), 6) / 6);
        case ActivationKind::rectifier:
            return x >= ceiling ? ceiling : x < threshold ? alpha * (x - threshold) : x;
        case ActivationKind::exponential:
            return std::exp(x);
        case ActivationKind::log:
            return std::log(x);
        case ActivationKind::sqrt:
            return std::sqrt(x);
        case ActivationKind::abs:
            return std::fabs(x);
        case ActivationKind::reciprocal:
            return 1 / x;
        case ActivationKind::reciprocal_no_nan:
            return x == 0 ? 0 : 1 / x;
        case ActivationKind::erf:
            return std::erf(x);
    }
    return 0;
}

// By central differences in double precision: good to about 1e-9 away from kinks.
double slope(const Case& a, double x) {
    return (value(a, x + 1e-5) - value(a, x - 1e-5)) / 2e-5;
}
bool near_kink(const Case& a, double x) {
    for (const double kink : {0.0, 6.0, 3.0, -3.0, double(a.threshold), double(a.ceiling)})
        if (std::fabs(x - kink) < 1e-4) return true;
    return false;
}

void test_activation(const Table& table, const Case& a, const Size& size, Random& random) {
    const std::string context = std::string(table.isa) + " " + a.name + " " + size.text();
    Map x = map_of(size, random), y = map_of(size, random), dy = map_of(size, random), dx = map_of(size, random);
    x.random(random, a.low, a.high);
    dy.random(random);
    const ActivationArgs forward = {a.kind, a.alpha, x.view, y.view, x.data(), y.data(), a.threshold, a.ceiling};
    run_twice(table.activation_forward, forward, {&y}, random, context);
    const ActivationGradArgs backward = {a.kind,   a.alpha,  x.view,    y.view,    dy.view,     dx.view,
                                         x.data(), y.data(), dy.data(), dx.data(), a.threshold, a.ceiling};
    run_twice(table.activation_backward, backward, {&dx}, random, context + " backward");
    for (int64_t i = 0; i < x.size(); ++i) {
        CHECK_NEAR(y.flat(i), value(a, x.flat(i)), 3e-7, context);
        if (!near_kink(a, x.flat(i)))
            CHECK_NEAR(dx.flat(i), dy.flat(i) * slope(a, x.flat(i)), 2e-6, context + " backward");
    }
    Map inplace = x;
    ActivationArgs over = forward;
    over.view_y = inplace.view, over.x = over.y = inplace.data(), over.view_x = inplace.view;
    run_all(table.activation_forward, over);
    CHECK(inplace.same_values(y));
}

// NaN, infinities, denormals and the far ends of the range.
void test_borders(const Table& table, const Case& a) {
    const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
    const std::vector<float> inputs = {nan,    inf,    -inf,  0.0f,   -0.0f, 1e-42f, -1e-42f, 1e-30f, 3e38f, -3e38f,
                                       88.8f,  -88.8f, -104,  -87.4f, 17.0f, -17.0f, 1e-5f,   -1e-5f, 0.99f, 1.01f,
                                       -0.99f, 4.1f,   -4.1f, 20.0f,  50.0f, -50.0f, 100.0f,  6.0f,   -3.0f, 3.0f};
    const int64_t count = static_cast<int64_t>(inputs.size());
    Map x(1, 1, 1, count), y(1, 1, 1, count), dy(1, 1, 1, count), dx(1, 1, 1, count);
    for (int64_t i = 0; i < count; ++i) x.flat(i) = inputs[i];
    dy.fill(1);
    const ActivationArgs forward = {a.kind, a.alpha, x.view, y.view, x.data(), y.data(), a.threshold, a.ceiling};
    run_all(table.activation_forward, forward);
    const ActivationGradArgs backward = {a.kind,   a.alpha,  x.view,    y.view,    dy.view,     dx.view,
                                         x.data(), y.data(), dy.data(), dx.data(), a.threshold, a.ceiling};
    run_all(table.activation_backward, backward);
    for (int64_t i = 0; i < count; ++i) {
        const std::string context = striate::concat(table.isa, " ", a.name, " at ", inputs[i]);
        const float in = x.flat(i);
        if (std::isinf(in) && a.low < 0) CHECK(!std::isnan(dx.flat(i)));
        if (std::isnan(value(a, in))) {
            CHECK((std::isnan(y.flat(i)) || std::isinf(in)));  // x * 0 at minus infinity is NaN in every framework
            continue;
        }
        if (std::fabs(value(a, in)) > std::numeric_limits<float>::max()) {
            CHECK(std::isinf(y.flat(i)));
            CHECK((y.flat(i) > 0) == (value(a, in) > 0));
            continue;
        }
        const double want = value(a, in);
        if (std::fabs(want) < 1e-30)
            CHECK_CLOSE(y.flat(i), want, 1e-36, context);
        else
            CHECK_NEAR(y.flat(i), want, 3e-7, context);
        if (!std::isnan(in)) CHECK(!std::isnan(dx.flat(i)));
        if (in < a.low || in > a.high) continue;
        if (std::isfinite(in) && std::fabs(in) < 1e6 && !near_kink(a, in))
            CHECK_NEAR(dx.flat(i), slope(a, in), 1e-5, context);
    }
}

// Small arguments keep their relative precision, and so do small results.
void test_relative_precision(const Table& table) {
    for (const Case& a : {kCases[4], kCases[5], kCases[6], kCases[7]}) {
        Map x(1, 1, 1, 4000), y(1, 1, 1, 4000);
        for (int64_t i = 0; i < 4000; ++i)
            x.flat(i) = (i % 2 ? -1.0f : 1.0f) * static_cast<float>(std::exp(-20 + i * 0.006));
        const ActivationArgs args = {a.kind, 1.0f, x.view, y.view, x.data(), y.data()};
        run_all(table.activation_forward, args);
        Case unit = a;
        unit.alpha = 1;
        for (int64_t i = 0; i < 4000; ++i) {
            const double want = value(unit, x.flat(i));
            CHECK_CLOSE(y.flat(i), want, 4 * 1.2e-7 * std::fabs(want) + 1e-44,
                        striate::concat(table.isa, " ", a.name, " at ", x.flat(i)));
        }
    }
}

void test_prelu(const Table& table, const Size& size, Random& random) {
    struct Shared {
        int64_t rows, columns, channels;
    };
    for (const Shared shared :
         {Shared{1, 1, size.c}, Shared{size.h, size.w, size.c}, Shared{1, 1, 1}, Shared{1, size.w, 1}}) {
        const std::string context = std::string(table.isa) + " prelu " + size.text();
        Map x = map_of(size, random), y = map_of(size, random), dy = map_of(size, random), dx = map_of(size, random);
        x.random(random), dy.random(random);
        const int64_t count = shared.rows * shared.columns * shared.channels;
        std::vector<float> alpha(count), d_alpha(count);
        for (float& a : alpha) a = static_cast<float>(random.uniform(0, 0.5));
        const int64_t channel = shared.channels > 1, column = shared.columns > 1 ? shared.channels : 0;
        const int64_t row = shared.rows > 1 ? shared.columns * shared.channels : 0;
        const PReluArgs forward = {x.view, y.view, x.data(), alpha.data(), row, column, channel, y.data()};
        run_twice(table.prelu_forward, forward, {&y}, random, context);
        const int64_t pieces = std::min<int64_t>(size.n, 2);
        std::vector<double> partials(pieces * count);
        const PReluGradArgs backward = {x.view, dy.view, dx.view, x.data(),  alpha.data(),    dy.data(), row,
                                        column, channel, count,   dx.data(), partials.data(), pieces};
        run_twice(table.prelu_backward, backward, {&dx}, random, context);
        const MergeSumsArgs merge = {pieces, count, partials.data(), d_alpha.data(), 1.0};
        run_all(table.merge_sums, merge);
        std::vector<double> want(count);
        for (int64_t i = 0; i < x.size(); ++i) {
            const int64_t c = i % size.c, px = i / size.c % size.w, py = i / size.c / size.w % size.h;
            const int64_t at = py * row + px * column + c * channel;
            const double v = x.flat(i);
            CHECK_NEAR(y.flat(i), v < 0 ? v * alpha[at] : v, 2e-7, context);
            CHECK_NEAR(dx.flat(i), v < 0 ? dy.flat(i) * alpha[at] : dy.flat(i), 2e-7, context);
            if (v < 0) want[at] += v * dy.flat(i);
        }
        for (int64_t i = 0; i < count; ++i) CHECK_NEAR(d_alpha[i], want[i], 1e-5, context + " slope");
    }
}

void test_softmax(const Table& table, const Size& size, Random& random) {
    const std::string context = std::string(table.isa) + " softmax " + size.text();
    Map x = map_of(size, random), y = map_of(size, random), dy = map_of(size, random), dx = map_of(size, random);
    x.random(random, -20, 20), dy.random(random);
    for (int64_t c = 0; c < size.c; ++c) x.at(0, 0, 0, c) += 1000;  // must not overflow
    const SoftmaxArgs forward = {x.view, y.view, x.data(), y.data()};
    run_twice(table.softmax, forward, {&y}, random, context);
    const SoftmaxGradArgs backward = {y.view, dy.view, dx.view, y.data(), dy.data(), dx.data()};
    run_twice(table.softmax_backward, backward, {&dx}, random, context);
    for (int64_t p = 0; p < x.pixels(); ++p) {
        double top = -1e30, total = 0, common = 0;
        for (int64_t c = 0; c < size.c; ++c) top = std::fmax(top, x.flat(p * size.c + c));
        for (int64_t c = 0; c < size.c; ++c) total += std::exp(x.flat(p * size.c + c) - top);
        for (int64_t c = 0; c < size.c; ++c)
            common += std::exp(x.flat(p * size.c + c) - top) / total * dy.flat(p * size.c + c);
        for (int64_t c = 0; c < size.c; ++c) {
            const double share = std::exp(x.flat(p * size.c + c) - top) / total;
            CHECK_CLOSE(y.flat(p * size.c + c), share, 1e-6 * share + 1e-12, context);
            CHECK_CLOSE(dx.flat(p * size.c + c), share * (dy.flat(p * size.c + c) - common), 1e-6,
                        context + " backward");
        }
    }
    Map inplace = x;
    const SoftmaxArgs over = {inplace.view, inplace.view, inplace.data(), inplace.data()};
    run_all(table.softmax, over);
    CHECK(inplace.same_values(y));
}

void test_softmax_nan(const Table& table) {
    for (const int64_t c : {5, 100}) {
        Map x(3, 1, 1, c), y(3, 1, 1, c);
        x.fill(1);
        x.at(1, 0, 0, 2) = std::numeric_limits<float>::quiet_NaN();
        x.at(2, 0, 0, 1) = -std::numeric_limits<float>::infinity();
        const SoftmaxArgs args = {x.view, y.view, x.data(), y.data()};
        run_all(table.softmax, args);
        for (int64_t i = 0; i < c; ++i) {
            CHECK_NEAR(y.at(0, 0, 0, i), 1.0 / c, 1e-6, "softmax beside a NaN");
            CHECK(std::isnan(y.at(1, 0, 0, i)));
            CHECK_NEAR(y.at(2, 0, 0, i), i == 1 ? 0.0 : 1.0 / (c - 1), 1e-6, "softmax with -infinity");
        }
    }
}

}  // namespace

TEST_CASE("activations agree with their definitions") {
    Random random(1);
    for (const Table* table : check::tables())
        for (const Size& size : check::sizes())
            for (const Case& a : kCases) test_activation(*table, a, size, random);
}

TEST_CASE("PReLU agrees with its definition") {
    Random random(1);
    for (const Table* table : check::tables())
        for (const Size& size : check::sizes()) test_prelu(*table, size, random);
}

TEST_CASE("softmax agrees with its definition") {
    Random random(1);
    for (const Table* table : check::tables())
        for (const Size& size : check::sizes()) test_softmax(*table, size, random);
}

TEST_CASE("activations of NaN, infinities, denormals and large numbers") {
    for (const Table* table : check::tables())
        for (const Case& a : kCases) test_borders(*table, a);
}

TEST_CASE("small arguments and results keep their relative precision") {
    for (const Table* table : check::tables()) test_relative_precision(*table);
}

TEST_CASE("softmax of NaN") {
    for (const Table* table : check::tables()) test_softmax_nan(*table);
}
