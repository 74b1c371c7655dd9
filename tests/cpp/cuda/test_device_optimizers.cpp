// The device's update rules and clipping beside their definitions in float64.
#include <cmath>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "device_table.hpp"
#include "kernel_check.hpp"

using namespace striate::kernels;
using check::Random;

namespace {

// Numbers of one parameter.
struct Numbers {
    double p, g, slot0, slot1, slot2;
};
using Rule = std::function<double(const UpdateArgs&, Numbers&)>;

double sgd(const UpdateArgs& a, Numbers& n) {
    if (!a.slot0) return n.p - n.g * a.scalars[0];
    n.slot0 = a.rate0 * n.slot0 - n.g * a.scalars[0];
    return a.nesterov ? n.p + a.rate0 * n.slot0 - n.g * a.scalars[0] : n.p + n.slot0;
}
double rmsprop(const UpdateArgs& a, Numbers& n) {
    n.slot0 = a.rate0 * n.slot0 + a.keep0 * n.g * n.g;
    double under = n.slot0 + a.epsilon;
    if (a.centered) {
        n.slot2 = a.rate0 * n.slot2 + a.keep0 * n.g;
        under = n.slot0 - n.slot2 * n.slot2 + a.epsilon;
    }
    const double step = a.scalars[0] * n.g / std::sqrt(under);
    if (!a.slot1) return n.p - step;
    n.slot1 = a.rate1 * n.slot1 + step;
    return n.p - n.slot1;
}
double adagrad(const UpdateArgs& a, Numbers& n) {
    n.slot0 += n.g * n.g;
    return n.p - a.scalars[0] * n.g / std::sqrt(n.slot0 + a.epsilon);
}
double adadelta(const UpdateArgs& a, Numbers& n) {
    n.slot0 = a.rate0 * n.slot0 + a.keep0 * n.g * n.g;
    const double step = n.g * std::sqrt(n.slot1 + a.epsilon) / std::sqrt(n.slot0 + a.epsilon);
    n.slot1 = a.rate0 * n.slot1 + a.keep0 * step * step;
    return n.p - a.scalars[0] * step;
}
double adam(const UpdateArgs& a, Numbers& n) {
    n.slot0 += (n.g - n.slot0) * a.keep0;
    n.slot1 += (n.g * n.g - n.slot1) * a.keep1;
    if (a.amsgrad) n.slot2 = std::max(n.slot2, n.slot1);
    return n.p - n.slot0 * a.scalars[1] / (std::sqrt(a.amsgrad ? n.slot2 : n.slot1) + a.epsilon);
}
double nadam(const UpdateArgs& a, Numbers& n) {
    n.slot0 += (n.g - n.slot0) * a.keep0;
    n.slot1 += (n.g * n.g - n.slot1) * a.keep1;
    return n.p - (n.slot0 * a.scalars[1] + n.g * a.scalars[2]) / (std::sqrt(n.slot1) * a.scalars[3] + a.epsilon);
}
double lion(const UpdateArgs& a, Numbers& n) {
    const double blend = n.slot0 * a.rate0 + n.g * a.keep0;
    n.slot0 = n.slot0 * a.rate1 + n.g * a.keep1;
    return n.p - (blend > 0 ? a.scalars[0] : -a.scalars[0]);
}

struct Case {
    const char* name;
    void (*kernel)(const UpdateArgs&, int64_t, int64_t);
    Rule rule;
    int slots;
    bool nesterov = false, centered = false, amsgrad = false, no_slot1 = false;
};

std::vector<float> random_floats(size_t count, Random& random, double low, double high) {
    std::vector<float> values(count);
    for (float& v : values) v = static_cast<float>(random.uniform(low, high));
    return values;
}

void check_rule(const Case& c, bool clipped, Random& random) {
    // Three pieces: of two segments, one without weight decay, one longer than a block.
    std::vector<UpdatePiece> pieces(3);
    const int64_t counts[] = {5, 700, 1};
    int64_t size = 0;
    for (size_t i = 0; i < 3; ++i) {
        pieces[i] = {size, counts[i], i == 0 ? 0 : 1, size, 0.0f, 0.0f, i != 0};
        if (i == 1) pieces[i].l1 = 0.01f, pieces[i].l2 = 0.02f;
        size += counts[i];
    }
    const auto count = static_cast<size_t>(size);
    std::vector<float> p = random_floats(count, random, -1, 1), g = random_floats(count, random, -2, 2);
    std::vector<float> slots[3];
    for (auto& slot : slots) slot = random_floats(count, random, 0.5, 1);
    if (c.centered) slots[2] = random_floats(count, random, -0.3, 0.3);  // else the variance is rounding
    const float scalars[] = {0.01f, 0.02f, 0.005f, 1.1f}, scales[] = {0.5f, 1.0f};
    UpdateArgs a{};
    a.count = 3, a.size = size, a.values = size, a.segments = 2, a.scalar_count = 4;
    a.pieces = pieces.data(), a.parameters = p.data(), a.gradients = g.data(), a.scalars = scalars;
    float** const own[] = {&a.slot0, &a.slot1, &a.slot2};
    for (int i = 0; i < c.slots; ++i) *own[i] = slots[i].data();
    if (c.no_slot1) a.slot1 = nullptr;
    a.clip_scales = clipped ? scales : nullptr;
    a.clip_value = clipped ? 0.4f : 0.0f;
    a.weight_decay = 0.1f;
    a.rate0 = 0.9f, a.rate1 = 0.95f, a.keep0 = 0.1f, a.keep1 = 0.05f, a.epsilon = 1e-3f;
    double penalties[3] = {-1, -1, -1};
    a.penalties = penalties;
    a.nesterov = c.nesterov, a.centered = c.centered, a.amsgrad = c.amsgrad;
    const std::vector<float> p0 = p, s0 = slots[0], s1 = slots[1], s2 = slots[2];
    check::run_all(c.kernel, a);
    const std::string context = std::string(c.name) + (clipped ? " clipped" : "");
    double all = 0;
    for (size_t i = 5; i < 705; ++i) all += 0.01f * std::fabs(double{p0[i]}) + 0.02f * double{p0[i]} * p0[i];
    CHECK(penalties[0] == 0);
    CHECK(penalties[2] == 0);
    CHECK_NEAR(penalties[1], all, 1e-12, context + " penalty");
    for (const UpdatePiece& piece : pieces)
        for (int64_t j = 0; j < piece.count; ++j) {
            const auto i = static_cast<size_t>(piece.offset + j);
            const double w = p0[i], side = w > 0 ? 1 : -1;
            double gradient = g[i] + 2 * double{piece.l2} * w + side * piece.l1;
            gradient *= clipped ? scales[piece.segment] : 1.0f;
            if (clipped) gradient = std::max(-double{a.clip_value}, std::min(double{a.clip_value}, gradient));
            const double decayed = p0[i] * (piece.decays ? 1.0 - double{a.weight_decay} * scalars[0] : 1.0);
            Numbers n{decayed, gradient, s0[i], s1[i], s2[i]};
            const double want = c.rule(a, n);
            CHECK_NEAR(p[i], want, 5e-7, context);
            if (a.slot0) CHECK_NEAR(slots[0][i], n.slot0, 3e-7, context + " slot 0");
            if (a.slot1) CHECK_NEAR(slots[1][i], n.slot1, 1e-6, context + " slot 1");
            if (a.slot2) CHECK_NEAR(slots[2][i], n.slot2, 3e-7, context + " slot 2");
        }
}

// A gradient that is infinite is a NaN for rules that square it, and the largest step where a value clips it.
void check_infinite(const Table& table) {
    const UpdatePiece piece{0, 1, 0, 0, 0.0f, 0.0f, false};
    float p = 1, g = INFINITY, slot0 = 0, slot1 = 0;
    const float scalars[] = {0.1f, 0.1f};
    UpdateArgs a{};
    a.count = a.size = a.values = a.segments = 1, a.scalar_count = 2;
    a.pieces = &piece, a.parameters = &p, a.gradients = &g, a.slot0 = &slot0, a.slot1 = &slot1, a.scalars = scalars;
    a.keep0 = 0.1f, a.keep1 = 0.05f, a.epsilon = 1e-7f;
    check::run_all(table.update_adam, a);
    CHECK(std::isnan(p));
    p = 1, slot0 = slot1 = 0;
    a.clip_value = 1;
    check::run_all(table.update_adam, a);
    CHECK(std::isfinite(p));
    CHECK(p < 1);
}

void check_clipping(const Table& table, Random& random) {
    std::vector<UpdatePiece> pieces;
    const int64_t counts[] = {900, 3, 300, 1}, segments[] = {0, 0, 1, 2};
    int64_t size = 0;
    for (size_t i = 0; i < 4; ++i) {
        pieces.push_back({size, counts[i], segments[i], size, i == 2 ? 0.125f : 0.0f, i == 2 ? 0.0625f : 0.0f, true});
        size += counts[i];
    }
    std::vector<float> g = random_floats(static_cast<size_t>(size), random, -1, 1);
    g.back() = 1e30f;  // whose square is no float
    std::vector<double> partials(4);
    const std::vector<float> p = random_floats(g.size(), random, -1, 1);
    const GradientSquaresArgs squares{4, size, size, pieces.data(), p.data(), g.data(), partials.data()};
    check::run_all(table.gradient_squares, squares);
    double norms[3] = {};
    for (size_t k = 0; k < 4; ++k) {
        double want = 0;
        for (int64_t j = 0; j < counts[k]; ++j) {
            const auto i = static_cast<size_t>(pieces[k].offset + j);
            const double v = g[i] + 2 * double{pieces[k].l2} * p[i] + (p[i] > 0 ? 1 : -1) * double{pieces[k].l1};
            want += v * v;
        }
        CHECK_NEAR(partials[k] / (1 + want), want / (1 + want), k == 2 ? 1e-7 : 1e-12, "gradient squares");
        norms[segments[k]] += want;
    }
    double penalties[4] = {-1, -1, -1, -1}, all = 0;
    check::run_all(table.penalties, PenaltiesArgs{4, size, pieces.data(), p.data(), penalties});
    for (int64_t j = 0; j < counts[2]; ++j) {
        const double w = p[static_cast<size_t>(pieces[2].offset + j)];
        all += 0.125 * std::fabs(w) + 0.0625 * w * w;
    }
    CHECK_NEAR(penalties[2], all, 1e-12, "penalties");
    CHECK(penalties[0] == 0);
    CHECK(penalties[1] == 0);
    CHECK(penalties[3] == 0);
    float scales[3] = {};
    const ClipScalesArgs clip{4, 3, pieces.data(), partials.data(), scales, 12.0};
    check::run_all(table.clip_scales, clip);
    for (int s = 0; s < 3; ++s) {
        const double norm = std::sqrt(norms[s]);
        CHECK_NEAR(scales[s], norm > 12 ? 12 / norm : 1.0, 1e-7, "clip scales");
    }
    CHECK(scales[0] < 1);
    CHECK(scales[1] == 1);
}

}  // namespace

TEST_CASE("update rules agree with their definitions") {
    const Table& table = *check::device_tables()[0];
    Random random(1);
    const Case cases[] = {
        {"sgd", table.update_sgd, sgd, 0},
        {"momentum", table.update_sgd, sgd, 1},
        {"nesterov", table.update_sgd, sgd, 1, true},
        {"rmsprop", table.update_rmsprop, rmsprop, 1},
        {"rmsprop, momentum", table.update_rmsprop, rmsprop, 2},
        {"rmsprop, centered", table.update_rmsprop, rmsprop, 3, false, true, false, true},
        {"rmsprop, centered, momentum", table.update_rmsprop, rmsprop, 3, false, true},
        {"adagrad", table.update_adagrad, adagrad, 1},
        {"adadelta", table.update_adadelta, adadelta, 2},
        {"adam", table.update_adam, adam, 2},
        {"amsgrad", table.update_adam, adam, 3, false, false, true},
        {"nadam", table.update_nadam, nadam, 2},
        {"lion", table.update_lion, lion, 1},
    };
    for (const Case& c : cases)
        for (const bool clipped : {false, true}) check_rule(c, clipped, random);
}

TEST_CASE("infinite gradients") {
    check_infinite(*check::device_tables()[0]);
}

TEST_CASE("gradients are clipped by their norm") {
    Random random(2);
    check_clipping(*check::device_tables()[0], random);
}
