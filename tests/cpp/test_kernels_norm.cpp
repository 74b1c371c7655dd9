// Batch, group and layer normalisation against their definitions in double precision: forward, statistics, gradients.
#include <cmath>
#include <limits>

#include "activation_definition.hpp"
#include "kernel_check.hpp"

using namespace striate::kernels;
using check::Map;
using check::Random;
using check::run_all;
using check::Size;

namespace {

constexpr double kEpsilon = 1e-3;

std::vector<float> parameters(int64_t count, double low, double high, Random& random) {
    std::vector<float> values(count);
    for (float& value : values) value = static_cast<float>(random.uniform(low, high));
    return values;
}

// Sums for a set of elements that share a mean and variance.
struct Statistics {
    double sum = 0, squares = 0, count = 0, mean = 0, variance = 0, gradient = 0, product = 0;
};

// What normalisation does, by its definition: `set` gives the set that element i is in, `parameter` its gamma and beta.
struct Definition {
    std::vector<Statistics> sets;
    std::vector<double> y, dx, d_gamma, d_beta;

    template <class Set, class Parameter>
    Definition(const Map& x, const Map& dy, int64_t set_count, Set set, const std::vector<float>& gamma,
               const std::vector<float>& beta, Parameter parameter, ActivationKind activation = ActivationKind::linear)
        : sets(set_count), y(x.size()), dx(x.size()), d_gamma(gamma.size()), d_beta(gamma.size()) {
        for (int64_t i = 0; i < x.size(); ++i) sets[set(i)].sum += x.flat(i), sets[set(i)].count += 1;
        for (Statistics& s : sets) s.mean = s.sum / s.count;
        for (int64_t i = 0; i < x.size(); ++i) sets[set(i)].squares += std::pow(x.flat(i) - sets[set(i)].mean, 2);
        for (Statistics& s : sets) s.variance = s.squares / s.count;
        std::vector<double> g(x.size()), xhat(x.size());
        for (int64_t i = 0; i < x.size(); ++i) {
            Statistics& s = sets[set(i)];
            const int64_t p = parameter(i);
            xhat[i] = (x.flat(i) - s.mean) / std::sqrt(s.variance + kEpsilon);
            y[i] = xhat[i] * gamma[p] + beta[p];
            g[i] = dy.flat(i) * check::derivative(activation, y[i]);
            y[i] = check::activated(activation, y[i]);
            d_gamma[p] += g[i] * xhat[i];
            d_beta[p] += g[i];
            s.gradient += g[i] * gamma[p];
            s.product += g[i] * gamma[p] * xhat[i];
        }
        for (int64_t i = 0; i < x.size(); ++i) {
            const Statistics& s = sets[set(i)];
            dx[i] = (g[i] * gamma[parameter(i)] - s.gradient / s.count - xhat[i] * s.product / s.count) /
                    std::sqrt(s.variance + kEpsilon);
        }
    }
};

// Runs a kernel that writes plain arrays: whole, then in pieces over the garbage that was put there, to the same bits.
template <class Args, class T>
void run_arrays(void (*kernel)(const Args&, int64_t, int64_t), const Args& args, std::vector<T>& output,
                Random& random) {
    run_all(kernel, args);
    const std::vector<T> whole = output;
    std::fill(output.begin(), output.end(), T(99));
    run_in_pieces(kernel, args, units(args), random);
    CHECK(output == whole);
}

void test_batch_norm(const Table& table, const Size& size, ActivationKind activation, double offset, Random& random) {
    const std::string context = striate::concat(table.isa, " batch norm ", size.text(), " activation ",
                                                static_cast<int>(activation), " offset ", offset);
    Map x = map_of(size, random), y = map_of(size, random), dy = map_of(size, random), dx = map_of(size, random);
    for (int64_t i = 0; i < x.size(); ++i)
        x.flat(i) = static_cast<float>(offset + random.normal() * (1 + i % size.c % 3));
    dy.random(random);
    const int64_t c = size.c;
    const std::vector<float> gamma = parameters(c, 0.5, 1.5, random), beta = parameters(c, -0.5, 0.5, random);
    std::vector<float> mean(c), inverse(c), scale(c), moving_mean(c, 0.25f), moving_variance(c, 0.75f), d_gamma(c),
        d_beta(c);
    std::vector<float> slope(c), shift(c);
    const int64_t pieces = std::min(size.n * size.h, random.integer(1, 5));
    const bool unbiased = random.integer(0, 1) == 1;
    std::vector<double> partials(pieces * 2 * c);

    const MomentsArgs moments = {x.view, x.data(), partials.data(), 1, pieces};
    run_arrays(table.moments, moments, partials, random);
    const BatchNormMergeArgs merge = {c,
                                      size.n * size.h,
                                      size.w,
                                      pieces,
                                      partials.data(),
                                      nullptr,
                                      float(kEpsilon),
                                      0.9f,
                                      gamma.data(),
                                      mean.data(),
                                      inverse.data(),
                                      scale.data(),
                                      moving_mean.data(),
                                      moving_variance.data(),
                                      unbiased};
    run_in_pieces(table.batch_norm_merge, merge, units(merge), random);
    const ChannelAffineArgs apply = {x.view,       y.view,      x.data(), y.data(),  mean.data(),
                                     scale.data(), beta.data(), 0,        activation};
    run_twice(table.channel_affine, apply, {&y}, random, context);

    const MomentsGradArgs sums = {x.view,      dy.view, x.data(),        dy.data(), mean.data(), scale.data(),
                                  beta.data(), 0,       partials.data(), 1,         pieces,      activation};
    run_arrays(table.moments_backward, sums, partials, random);
    const BatchNormGradMergeArgs back = {c,
                                         pieces,
                                         double(size.n * size.h * size.w),
                                         partials.data(),
                                         inverse.data(),
                                         scale.data(),
                                         d_gamma.data(),
                                         d_beta.data(),
                                         slope.data(),
                                         shift.data()};
    run_in_pieces(table.batch_norm_backward_merge, back, units(back), random);
    const ChannelAffineGradArgs apply_back = {x.view,       dy.view,     dx.view,      x.data(),    dy.data(),
                                              dx.data(),    mean.data(), scale.data(), beta.data(), slope.data(),
                                              shift.data(), 0,           activation};
    run_twice(table.channel_affine_backward, apply_back, {&dx}, random, context + " backward");

    const auto channel = [&](int64_t i) { return i % c; };
    const Definition want(x, dy, c, channel, gamma, beta, channel, activation);
    const double loose = 1 + std::fabs(offset) * 0.05;  // x itself is rounded to floats near `offset`
    for (int64_t i = 0; i < c; ++i) {
        CHECK_NEAR(mean[i], want.sets[i].mean, 3e-7, context + " mean");
        CHECK_NEAR(1 / (double(inverse[i]) * inverse[i]) - kEpsilon, want.sets[i].variance, 1e-6,
                   context + " variance");
        CHECK_NEAR(moving_mean[i], 0.25 * 0.9 + 0.1 * want.sets[i].mean, 1e-6, context);
        const double count = static_cast<double>(want.sets[i].count);
        const double share = unbiased && count > 1 ? count / (count - 1) : 1.0;
        CHECK_NEAR(moving_variance[i], 0.75 * 0.9 + 0.1 * want.sets[i].variance * share, 1e-6, context);
        CHECK_NEAR(d_gamma[i], want.d_gamma[i], 2e-5 * loose, context + " gamma");
        CHECK_NEAR(d_beta[i], want.d_beta[i], 2e-6 * std::sqrt(want.sets[i].count), context + " beta");
    }
    // A batch of one value per channel has variance 0: the division by sqrt(epsilon) magnifies every rounding.
    const double small = want.sets[0].count < 2 ? 1e-3 : 1e-5 * loose;
    for (int64_t i = 0; i < x.size(); ++i) {
        CHECK_NEAR(y.flat(i), want.y[i], small, context);
        CHECK_NEAR(dx.flat(i), want.dx[i], small, context + " backward");
    }

    // A frozen layer, and inference: moving averages, constant statistics.
    const BatchNormFixedArgs fixed = {
        c, float(kEpsilon), gamma.data(), moving_variance.data(), inverse.data(), scale.data()};
    run_in_pieces(table.batch_norm_fixed, fixed, units(fixed), random);
    for (int64_t i = 0; i < c; ++i)
        CHECK_NEAR(scale[i], gamma[i] / std::sqrt(moving_variance[i] + kEpsilon), 1e-6, context);
}

// A map whose first rows are far from all others, so that the mean is far from where a walk over it starts.
void test_far_first_rows(const Table& table, Random& random) {
    for (const int64_t c : {3, 16, 600}) {
        Map x(2, 40, 33, c);
        for (int64_t i = 0; i < x.size(); ++i)
            x.flat(i) = static_cast<float>(random.normal() + (i < 2 * 33 * c ? 1000 + i % c : -50));
        std::vector<double> partials(2 * c);
        const MomentsArgs args = {x.view, x.data(), partials.data(), 1, 1};
        run_arrays(table.moments, args, partials, random);
        for (int64_t channel = 0; channel < c; ++channel) {
            double sum = 0, squares = 0;
            const double count = static_cast<double>(x.size() / c);
            for (int64_t i = channel; i < x.size(); i += c) sum += x.flat(i);
            for (int64_t i = channel; i < x.size(); i += c) squares += std::pow(x.flat(i) - sum / count, 2);
            CHECK_NEAR(partials[channel], sum / count, 1e-7 * std::sqrt(squares / count), "far first rows");
            CHECK_NEAR(partials[c + channel], squares, 2e-6, "far first rows");
        }
    }
}

// Normalisation, 2 x 2 maxima and ReLU at once, to the bits that the three kernels give one after the other; the
// gradients against those of the kernels that know no windows.
void test_affine_pool(const Table& table, const Size& size, bool relu, Random& random) {
    const std::string context = striate::concat(table.isa, " affine pool ", size.text(), relu ? " relu" : "");
    const Size half = {size.n, size.h / 2, size.w / 2, size.c};
    const int64_t c = size.c;
    Map x = map_of(size, random), between = map_of(size, random), dx = map_of(size, random);
    Map y = map_of(half, random), alone = map_of(half, random), pooled = map_of(half, random),
        dy = map_of(half, random);
    Map g = map_of(size, random), dx_want = map_of(size, random);
    x.integers(random, -4, 4);  // with ties
    dy.random(random);
    std::vector<float> scale = parameters(c, -1.5, 1.5, random);  // of either sign
    scale[0] = 0;
    const std::vector<float> mean = parameters(c, -1, 1, random), shift = parameters(c, -1, 1, random);
    const std::vector<float> slope = parameters(c, -1, 1, random), offset = parameters(c, -1, 1, random);
    const float* shift_or_null = random.integer(0, 1) ? shift.data() : nullptr;
    std::vector<uint8_t> places(half.n * half.h * half.w * c), winners(places.size());
    std::vector<float> chosen(places.size());

    AffinePoolArgs forward = {x.view,       y.view,        x.data(),      y.data(),      mean.data(),
                              scale.data(), shift_or_null, places.data(), chosen.data(), relu};
    run_twice(table.affine_pool, forward, {&y}, random, context);
    run_arrays(table.affine_pool, forward, places, random);
    run_arrays(table.affine_pool, forward, chosen, random);
    forward.view_y = alone.view, forward.y = alone.data(), forward.places = nullptr, forward.chosen = nullptr;
    run_twice(table.affine_pool, forward, {&alone}, random, context);
    CHECK(alone.same_values(y));

    const ChannelAffineArgs affine = {x.view,       between.view,  x.data(), between.data(),        mean.data(),
                                      scale.data(), shift_or_null, 0,        ActivationKind::linear};
    run_all(table.channel_affine, affine);
    const PoolWindow window = {2, 2, 2, 2, 0, 0};
    const MaxPoolArgs pool = {window, between.view, pooled.view, between.data(), pooled.data(), {winners.data(), false},
                              false};
    run_all(table.max_pool, pool);
    for (int64_t i = 0; i < y.size(); ++i) {
        const bool cut = relu && pooled.flat(i) <= 0;
        CHECK(y.flat(i) == (cut ? 0.0f : pooled.flat(i)));
        CHECK(places[i] == (cut ? kNoPlace : winners[i]));
        const int64_t p = i / c, row = p / half.w % half.h, column = p % half.w;
        CHECK(chosen[i] == x.at(p / half.w / half.h, 2 * row + winners[i] / 2, 2 * column + winners[i] % 2, i % c));
    }

    // Where the kernels without windows see dy at the places that won and 0 elsewhere, they give the same.
    for (int64_t i = 0; i < g.size(); ++i) g.flat(i) = 0;
    for (int64_t i = 0; i < y.size(); ++i) {
        const int64_t p = i / c, row = p / half.w % half.h, column = p % half.w;
        if (places[i] != kNoPlace)
            g.at(p / half.w / half.h, 2 * row + places[i] / 2, 2 * column + places[i] % 2, i % c) = dy.flat(i);
    }
    for (const bool sloped : {false, true}) {
        const AffinePoolGradArgs backward = {x.view,
                                             dy.view,
                                             dx.view,
                                             sloped ? x.data() : nullptr,
                                             dy.data(),
                                             dx.data(),
                                             places.data(),
                                             sloped ? mean.data() : nullptr,
                                             scale.data(),
                                             sloped ? slope.data() : nullptr,
                                             sloped ? offset.data() : nullptr};
        run_twice(table.affine_pool_backward, backward, {&dx}, random, context + " backward");
        const ChannelAffineGradArgs want = {
            x.view,       g.view,  dx_want.view,   x.data(),        g.data(), dx_want.data(),        mean.data(),
            scale.data(), nullptr, backward.slope, backward.offset, 0,        ActivationKind::linear};
        run_all(table.channel_affine_backward, want);
        for (int64_t i = 0; i < dx.size(); ++i) CHECK_NEAR(dx.flat(i), dx_want.flat(i), 1e-6, context + " backward");
    }
    // Sums over the x that won are sums over all x with that gradient.
    const View kept = {half.n, half.h, half.w, c, half.h * half.w * c, half.w * c, c};
    std::vector<double> got(2 * c), want(2 * c);
    const MomentsGradArgs sums = {kept,
                                  dy.view,
                                  chosen.data(),
                                  dy.data(),
                                  mean.data(),
                                  scale.data(),
                                  shift_or_null,
                                  0,
                                  got.data(),
                                  1,
                                  1,
                                  relu ? ActivationKind::relu : ActivationKind::linear};
    const MomentsGradArgs all = {x.view,  g.view, x.data(),    g.data(), mean.data(), nullptr,
                                 nullptr, 0,      want.data(), 1,        1,           ActivationKind::linear};
    run_all(table.moments_backward, sums);
    run_all(table.moments_backward, all);
    for (int64_t i = 0; i < 2 * c; ++i) CHECK_NEAR(got[i], want[i], 2e-5, context + " sums");
}

void test_affine_pool_nan(const Table& table) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    for (int64_t place = 0; place < 4; ++place) {
        Map x(1, 2, 2, 20), y(1, 1, 1, 20);
        x.fill(-1);
        x.at(0, place / 2, place % 2, 3) = nan;
        const std::vector<float> mean(20, 0.0f), scale(20, 1.0f);
        std::vector<uint8_t> places(20);
        const AffinePoolArgs args = {x.view,       y.view,  x.data(),      y.data(), mean.data(),
                                     scale.data(), nullptr, places.data(), nullptr,  true};
        run_all(table.affine_pool, args);
        for (int64_t c = 0; c < 20; ++c) {
            CHECK(std::isnan(y.at(0, 0, 0, c)) == (c == 3));
            CHECK(places[c] == (c == 3 ? place : kNoPlace));
        }
    }
}

// Statistics that arrive in pieces of other sizes, as from a convolution.
void test_counts(const Table& table, Random& random) {
    const int64_t counts[] = {3, 0, 5, 1}, c = 21;
    std::vector<double> partials(4 * 2 * c);
    std::vector<double> total(c), squares(c);
    std::vector<std::vector<double>> values(c);
    for (int64_t piece = 0; piece < 4; ++piece)
        for (int64_t i = 0; i < c; ++i) {
            double sum = 0, deviation = 0;
            std::vector<double> own(counts[piece]);
            for (double& v : own) sum += v = random.normal() + 100;
            for (const double v : own) deviation += std::pow(v - sum / counts[piece], 2);
            values[i].insert(values[i].end(), own.begin(), own.end());
            partials[piece * 2 * c + i] = counts[piece] ? sum / counts[piece] : 0;
            partials[piece * 2 * c + c + i] = deviation;
        }
    std::vector<float> mean(c), inverse(c), scale(c);
    const BatchNormMergeArgs merge = {c,
                                      9,
                                      1,
                                      4,
                                      partials.data(),
                                      counts,
                                      float(kEpsilon),
                                      0.9f,
                                      nullptr,
                                      mean.data(),
                                      inverse.data(),
                                      scale.data(),
                                      nullptr,
                                      nullptr,
                                      false};
    run_all(table.batch_norm_merge, merge);
    for (int64_t i = 0; i < c; ++i) {
        double sum = 0, deviation = 0;
        for (const double v : values[i]) sum += v;
        for (const double v : values[i]) deviation += std::pow(v - sum / 9, 2);
        CHECK_NEAR(mean[i], sum / 9, 1e-7, "counts");
        CHECK_NEAR(inverse[i], 1 / std::sqrt(deviation / 9 + kEpsilon), 1e-6, "counts");
    }
}

void test_group_norm(const Table& table, const Size& size, int64_t groups, Random& random) {
    const std::string context = striate::concat(table.isa, " group norm ", size.text(), " in ", groups);
    Map x = map_of(size, random), y = map_of(size, random), dy = map_of(size, random), dx = map_of(size, random);
    for (int64_t i = 0; i < x.size(); ++i) x.flat(i) = static_cast<float>(random.normal() * 2 + 1);
    dy.random(random);
    const int64_t c = size.c, pieces = std::min(size.h, random.integer(1, 3));
    const std::vector<float> gamma = parameters(c, 0.5, 1.5, random), beta = parameters(c, -0.5, 0.5, random);
    std::vector<float> mean(size.n * c), inverse(size.n * c), scale(size.n * c), slope(size.n * c), shift(size.n * c);
    std::vector<float> d_gamma(c), d_beta(c);
    std::vector<double> partials(size.n * pieces * 2 * c);

    const MomentsArgs moments = {x.view, x.data(), partials.data(), size.n, pieces};
    run_arrays(table.moments, moments, partials, random);
    const GroupNormMergeArgs merge = {size.n,       c,           groups,          size.h,
                                      size.w,       pieces,      partials.data(), float(kEpsilon),
                                      gamma.data(), mean.data(), inverse.data(),  scale.data()};
    run_in_pieces(table.group_norm_merge, merge, units(merge), random);
    const ChannelAffineArgs apply = {
        x.view, y.view, x.data(), y.data(), mean.data(), scale.data(), beta.data(), c, ActivationKind::linear};
    run_twice(table.channel_affine, apply, {&y}, random, context);
    const MomentsGradArgs sums = {x.view,  dy.view, x.data(),        dy.data(), mean.data(), nullptr,
                                  nullptr, c,       partials.data(), size.n,    pieces,      ActivationKind::linear};
    run_arrays(table.moments_backward, sums, partials, random);
    const GroupNormGradMergeArgs back = {size.n,
                                         c,
                                         groups,
                                         pieces,
                                         double(size.h * size.w),
                                         partials.data(),
                                         gamma.data(),
                                         inverse.data(),
                                         slope.data(),
                                         shift.data()};
    run_in_pieces(table.group_norm_backward_merge, back, units(back), random);
    const GroupNormParameterGradArgs parameter = {
        size.n, c, pieces, partials.data(), inverse.data(), d_gamma.data(), d_beta.data()};
    run_in_pieces(table.group_norm_parameter_gradients, parameter, units(parameter), random);
    const ChannelAffineGradArgs apply_back = {x.view,
                                              dy.view,
                                              dx.view,
                                              x.data(),
                                              dy.data(),
                                              dx.data(),
                                              mean.data(),
                                              scale.data(),
                                              nullptr,
                                              slope.data(),
                                              shift.data(),
                                              c,
                                              ActivationKind::linear};
    run_twice(table.channel_affine_backward, apply_back, {&dx}, random, context + " backward");

    const auto set = [&](int64_t i) { return i / (size.h * size.w * c) * groups + i % c / (c / groups); };
    const Definition want(x, dy, size.n * groups, set, gamma, beta, [&](int64_t i) { return i % c; });
    const double small = want.sets[0].count < 2 ? 1e-3 : 2e-5;
    for (int64_t i = 0; i < c; ++i) {
        CHECK_NEAR(d_gamma[i], want.d_gamma[i], 3e-5, context + " gamma");
        CHECK_NEAR(d_beta[i], want.d_beta[i], 3e-5, context + " beta");
    }
    for (int64_t i = 0; i < x.size(); ++i) {
        CHECK_NEAR(y.flat(i), want.y[i], small, context);
        CHECK_NEAR(dx.flat(i), want.dx[i], small, context + " backward");
    }
}

void test_layer_norm(const Table& table, const Size& size, int axes, Random& random) {
    const std::string context = striate::concat(table.isa, " layer norm ", size.text(), " over ", axes);
    Map x = map_of(size, random), y = map_of(size, random), dy = map_of(size, random), dx = map_of(size, random);
    for (int64_t i = 0; i < x.size(); ++i) x.flat(i) = static_cast<float>(random.normal() * 2 + 1);
    dy.random(random);
    const int64_t length = normalised_size(x.view, axes), count = x.size() / length;
    const std::vector<float> gamma = parameters(length, 0.5, 1.5, random), beta = parameters(length, -0.5, 0.5, random);
    std::vector<float> mean(count), inverse(count), d_gamma(2 * length);
    const LayerNormArgs forward = {axes,        x.view,   y.view,      x.data(),       gamma.data(),
                                   beta.data(), y.data(), mean.data(), inverse.data(), float(kEpsilon)};
    run_twice(table.layer_norm, forward, {&y}, random, context);
    const int64_t pieces = std::min<int64_t>(count, random.integer(1, 4));
    std::vector<double> partials(pieces * 2 * length);
    const LayerNormGradArgs backward = {axes,           x.view,       dy.view,         dx.view,
                                        x.data(),       gamma.data(), dy.data(),       mean.data(),
                                        inverse.data(), dx.data(),    partials.data(), pieces};
    run_twice(table.layer_norm_backward, backward, {&dx}, random, context + " backward");
    run_arrays(table.layer_norm_backward, backward, partials, random);
    const MergeSumsArgs merge = {pieces, 2 * length, partials.data(), d_gamma.data(), 1.0};
    run_all(table.merge_sums, merge);
    const auto set = [&](int64_t i) { return i / length; };
    const Definition want(x, dy, count, set, gamma, beta, [&](int64_t i) { return i % length; });
    for (int64_t i = 0; i < length; ++i) {
        CHECK_NEAR(d_gamma[i], want.d_gamma[i], 3e-5, context + " gamma");
        CHECK_NEAR(d_gamma[length + i], want.d_beta[i], 3e-5, context + " beta");
    }
    const double small = length < 2 ? 1e-3 : 3e-5;
    for (int64_t i = 0; i < x.size(); ++i) {
        CHECK_NEAR(y.flat(i), want.y[i], small, context);
        CHECK_NEAR(dx.flat(i), want.dx[i], small, context + " backward");
    }
}

// Values whose squares overflow in single precision, in every second channel.
void test_large_values(const Table& table, const Size& size, Random& random) {
    const std::string context = striate::concat(table.isa, " large values ", size.text());
    Map x = map_of(size, random), y = map_of(size, random);
    for (int64_t i = 0; i < x.size(); ++i)
        x.flat(i) = static_cast<float>(random.normal() * (i % size.c % 2 ? 1.0 : 1e22));
    const int64_t c = size.c, pieces = std::min(size.n * size.h, random.integer(1, 5));
    std::vector<double> partials(pieces * 2 * c);
    std::vector<float> mean(c), inverse(c), scale(c);
    const MomentsArgs moments = {x.view, x.data(), partials.data(), 1, pieces};
    run_arrays(table.moments, moments, partials, random);
    const BatchNormMergeArgs merge = {
        c,           size.n * size.h, size.w,       pieces,  partials.data(), nullptr, float(kEpsilon), 0.9f, nullptr,
        mean.data(), inverse.data(),  scale.data(), nullptr, nullptr,         false};
    run_in_pieces(table.batch_norm_merge, merge, units(merge), random);
    const std::vector<float> ones(std::max<int64_t>(c, x.size()), 1.0f), zeros(ones.size(), 0.0f);
    const auto channel = [&](int64_t i) { return i % c; };
    const Definition want(x, x, c, channel, ones, zeros, channel);
    for (int64_t i = 0; i < c; ++i) {
        const Statistics& s = want.sets[i];
        CHECK_NEAR((mean[i] - s.mean) / std::sqrt(s.variance + kEpsilon), 0, 1e-6, context + " mean");
        CHECK_NEAR(inverse[i] * std::sqrt(s.variance + kEpsilon), 1, 1e-5, context + " deviation");
    }
    for (const int axes : {1, 2, 3}) {
        const int64_t length = normalised_size(x.view, axes);
        const LayerNormArgs forward = {axes,    x.view,   y.view,  x.data(), nullptr,
                                       nullptr, y.data(), nullptr, nullptr,  float(kEpsilon)};
        run_all(table.layer_norm, forward);
        const auto set = [&](int64_t i) { return i / length; };
        const Definition rows(x, x, x.size() / length, set, ones, zeros, [&](int64_t i) { return i % length; });
        for (int64_t i = 0; i < x.size(); ++i)
            CHECK_NEAR(y.flat(i), rows.y[i], length < 2 ? 1e-3 : 1e-5, context + " layer norm");
    }
}

}  // namespace

TEST_CASE("batch normalization") {
    Random random(4);
    for (const Table* table : check::tables()) {
        for (const Size& size : check::sizes())
            for (const ActivationKind kind : check::kOfNormalizations) test_batch_norm(*table, size, kind, 0.5, random);
        // A mean far from zero beside a small deviation: where sums of squares would lose everything.
        test_batch_norm(*table, {4, 16, 16, 20}, ActivationKind::linear, 1000, random);
    }
}

TEST_CASE("layer normalization") {
    Random random(4);
    for (const Table* table : check::tables())
        for (const Size& size : check::sizes())
            for (const int axes : {1, 2, 3}) test_layer_norm(*table, size, axes, random);
}

TEST_CASE("group normalization") {
    Random random(4);
    for (const Table* table : check::tables())
        for (const Size& size : check::sizes())
            for (int64_t groups = 1; groups <= size.c; ++groups)
                if (size.c % groups == 0 && (groups < 5 || groups == size.c))
                    test_group_norm(*table, size, groups, random);
}

TEST_CASE("values whose squares overflow") {
    Random random(4);
    for (const Table* table : check::tables())
        for (const Size& size : check::sizes()) test_large_values(*table, size, random);
}

TEST_CASE("first rows that are far from all others") {
    Random random(4);
    for (const Table* table : check::tables()) test_far_first_rows(*table, random);
}

TEST_CASE("statistics that arrive in pieces of several sizes") {
    Random random(4);
    for (const Table* table : check::tables()) test_counts(*table, random);
}

TEST_CASE("normalization, maxima and ReLU in one kernel") {
    Random random(4);
    for (const Table* table : check::tables())
        for (const Size& size : {Size{2, 8, 8, 16}, Size{2, 7, 9, 6}, Size{1, 5, 4, 33}, Size{3, 4, 7, 1},
                                 Size{1, 2, 3, 70}, Size{2, 31, 20, 3}})
            for (const bool relu : {false, true}) test_affine_pool(*table, size, relu, random);
}

TEST_CASE("NaN in normalization with maxima") {
    for (const Table* table : check::tables()) test_affine_pool_nan(*table);
}
