// Loss kernels: value against Keras's definitions in double precision, gradient against central differences of them.
#include <algorithm>
#include <cmath>
#include <functional>
#include <tuple>

#include "kernel_check.hpp"
#include "kernels/overlap_index.hpp"

using namespace striate::kernels;
using check::Random;
using check::run_all;

namespace {

constexpr double kClip = 1e-7;
using Row = std::vector<double>;
using RowLoss = std::function<double(const Row& prediction, const Row& target)>;

double clip(double p) {
    return std::fmin(std::fmax(p, kClip), 1 - kClip);
}
double sigmoid(double x) {
    return 1 / (1 + std::exp(-x));
}
Row normalised(Row row) {
    double total = 0;
    for (const double v : row) total += v;
    for (double& v : row) v /= total;
    return row;
}
Row softmax(Row row) {
    const double top = *std::max_element(row.begin(), row.end());
    for (double& v : row) v = std::exp(v - top);
    return normalised(row);
}

// A batch with random weights, and what every kernel writes.
struct Batch {
    int64_t rows, c, rows_per_weight;
    std::vector<float> prediction, target, gradient, weights;
    std::vector<double> sums;
    double scale;

    Batch(int64_t row_count, int64_t classes, int64_t per_weight, Random& random)
        : rows(row_count),
          c(classes),
          rows_per_weight(per_weight),
          prediction(rows * c),
          target(rows * c),
          gradient(rows * c),
          weights((rows + per_weight - 1) / per_weight),
          scale(0.75 / rows) {
        for (float& w : weights) w = static_cast<float>(random.uniform(0.2, 2));
    }
    LossRows args(bool weighted, bool with_gradient = true) {
        LossRows batch = {rows,
                          c,
                          prediction.data(),
                          with_gradient ? gradient.data() : nullptr,
                          weighted ? weights.data() : nullptr,
                          rows_per_weight,
                          scale,
                          nullptr,
                          nullptr};
        sums.assign(units(batch), 0);
        batch.sums = sums.data();
        return batch;
    }
    double weight(int64_t row, bool weighted) const { return weighted ? weights[row / rows_per_weight] : 1; }
    Row row(const std::vector<float>& values, int64_t r) const {
        return Row(values.begin() + r * c, values.begin() + (r + 1) * c);
    }
};

template <class Args>
double value_of(const Table& table, void (*kernel)(const Args&, int64_t, int64_t), const Args& args, Batch& batch,
                Random& random) {
    run_all(kernel, args);
    const std::vector<float> gradient = batch.gradient;
    const std::vector<double> sums = batch.sums;
    std::fill(batch.gradient.begin(), batch.gradient.end(), 99.0f);
    run_in_pieces(kernel, args, units(args), random);
    CHECK((gradient == batch.gradient || !args.batch.gradient));
    CHECK(sums == batch.sums);
    double out[2] = {-1, -1};
    const double* normaliser = args.batch.normaliser;
    const LossMergeArgs merge = {units(args.batch), args.batch.rows, batch.sums.data(), normaliser, out,
                                 nullptr,           nullptr};
    run_all(table.loss_merge, merge);
    CHECK(out[1] == (normaliser ? normaliser[1] : double(args.batch.rows)));
    return out[0] * batch.scale * (normaliser ? normaliser[0] : 1.0);
}

// `counts` says whether a row has a loss at all; `factor` is what a normaliser adds.
void compare(Batch& batch, bool weighted, const RowLoss& loss, const std::function<bool(int64_t)>& counts,
             double factor, double value, double step, const std::string& context) {
    double want = 0;
    for (int64_t r = 0; r < batch.rows; ++r) {
        const double scale = batch.scale * factor * batch.weight(r, weighted);
        Row p = batch.row(batch.prediction, r);
        const Row t = batch.row(batch.target, r);
        if (counts(r)) want += scale * loss(p, t);
        for (int64_t i = 0; i < batch.c; ++i) {
            double slope = 0;
            if (counts(r)) {
                const double at = p[i];
                p[i] = at + step;
                const double above = loss(p, t);
                p[i] = at - step;
                slope = (above - loss(p, t)) / (2 * step);
                p[i] = at;
            }
            CHECK_CLOSE(batch.gradient[r * batch.c + i] / (batch.scale * factor), slope * batch.weight(r, weighted),
                        2e-5 * (1 + std::fabs(slope)) * batch.weight(r, weighted), context + " gradient");
        }
    }
    CHECK_NEAR(value, want, 2e-6, context);
}

bool always(int64_t) {
    return true;
}

struct Element {
    ElementLoss kind;
    const char* name;
    double low, high;  // of predictions
    std::function<double(double, double)> loss;
    float delta = 1.5f, smoothing = 0, gamma = 2, alpha = 0.25f;
    bool balanced = false;
};

double binary_crossentropy(double p, double t) {
    return -(t * std::log(clip(p)) + (1 - t) * std::log(1 - clip(p)));
}
double stable_crossentropy(double x, double t) {
    return std::fmax(x, 0) - x * t + std::log1p(std::exp(-std::fabs(x)));
}
double focal(double p, double t, double crossentropy, double gamma, double alpha, bool balanced) {
    const double off = 1 - (t * p + (1 - t) * (1 - p));
    return (balanced ? t * alpha + (1 - t) * (1 - alpha) : 1) * std::pow(off, gamma) * crossentropy;
}

std::vector<Element> elements() {
    std::vector<Element> all;
    all.push_back({ElementLoss::squared_error, "squared", -2, 2, [](double p, double t) { return (p - t) * (p - t); }});
    all.push_back(
        {ElementLoss::absolute_error, "absolute", -2, 2, [](double p, double t) { return std::fabs(p - t); }});
    all.push_back({ElementLoss::huber, "huber", -4, 4, [](double p, double t) {
                       const double e = std::fabs(p - t);
                       return e <= 1.5 ? 0.5 * e * e : 1.5 * e - 0.5 * 1.5 * 1.5;
                   }});
    for (const float s : {0.0f, 0.2f}) {
        const auto smooth = [s](double t) { return t * (1 - double(s)) + 0.5 * s; };
        all.push_back({ElementLoss::binary_crossentropy, "binary", 0.05, 0.95,
                       [=](double p, double t) { return binary_crossentropy(p, smooth(t)); }, 0, s});
        all.push_back({ElementLoss::binary_crossentropy_logits, "binary logits", -9, 9,
                       [=](double x, double t) { return stable_crossentropy(x, smooth(t)); }, 0, s});
        for (const float gamma : {0.0f, 1.0f, 2.0f, 2.5f}) {
            const bool balanced = gamma > 1;
            const auto from_p = [=](double p, double t) {
                return focal(p, smooth(t), binary_crossentropy(p, smooth(t)), gamma, 0.25, balanced);
            };
            const auto from_x = [=](double x, double t) {
                return focal(sigmoid(x), smooth(t), stable_crossentropy(x, smooth(t)), gamma, 0.25, balanced);
            };
            all.push_back({ElementLoss::binary_focal, "focal", 0.05, 0.95, from_p, 0, s, gamma, 0.25f, balanced});
            all.push_back(
                {ElementLoss::binary_focal_logits, "focal logits", -6, 6, from_x, 0, s, gamma, 0.25f, balanced});
        }
    }
    return all;
}

void test_element(const Table& table, const Element& e, int64_t rows, int64_t c, bool weighted, Random& random) {
    const std::string context = striate::concat(table.isa, " ", e.name, " ", rows, "x", c, " smoothing ", e.smoothing,
                                                " gamma ", e.gamma, weighted ? " weighted" : "");
    Batch batch(rows, c, random.integer(1, 3), random);
    for (int64_t i = 0; i < rows * c; ++i) {
        batch.prediction[i] = static_cast<float>(random.uniform(e.low, e.high));
        batch.target[i] = e.low < -1 && e.high < 5 ? float(random.uniform(e.low, e.high)) : float(random.integer(0, 1));
        // Away from the kinks of absolute error and Huber.
        const double error = std::fabs(batch.prediction[i] - batch.target[i]);
        if (error < 1e-3 || std::fabs(error - 1.5) < 1e-3) batch.prediction[i] += 0.01f;
    }
    const ElementLossArgs args = {
        batch.args(weighted), e.kind, batch.target.data(), e.delta, e.smoothing, e.gamma, e.alpha, e.balanced};
    const double value = value_of(table, table.element_loss, args, batch, random);
    const RowLoss loss = [&](const Row& p, const Row& t) {
        double total = 0;
        for (size_t i = 0; i < p.size(); ++i) total += e.loss(p[i], t[i]);
        return total / double(p.size());
    };
    compare(batch, weighted, loss, always, 1, value, 1e-5, context);
    ElementLossArgs evaluation = args;
    evaluation.batch = batch.args(weighted, false);
    CHECK_NEAR(value_of(table, table.element_loss, evaluation, batch, random), value, 1e-6, context);
}

double crossentropy_of(const Row& q, const Row& t) {
    double total = 0;
    for (size_t i = 0; i < q.size(); ++i) total -= t[i] == 0 ? 0 : t[i] * std::log(q[i]);
    return total;
}
Row clipped(Row row) {
    for (double& v : row) v = clip(v);
    return row;
}

void test_categorical(const Table& table, int64_t rows, int64_t c, bool from_logits, bool is_focal, float smoothing,
                      float gamma, bool weighted, Random& random) {
    const std::string context =
        striate::concat(table.isa, is_focal ? " categorical focal " : " categorical ", rows, "x", c,
                        from_logits ? " logits" : "", " smoothing ", smoothing, " gamma ", gamma);
    Batch batch(rows, c, random.integer(1, 3), random);
    std::vector<float> alphas(c);
    for (float& a : alphas) a = static_cast<float>(random.uniform(0.1, 1));
    for (float& p : batch.prediction)
        p = static_cast<float>(from_logits ? random.uniform(-5, 5) : random.uniform(0.1, 1));
    for (int64_t r = 0; r < rows; ++r) batch.target[r * c + random.integer(0, c - 1)] = 1;
    const CategoricalLossArgs args = {
        batch.args(weighted), from_logits, is_focal, batch.target.data(), smoothing, gamma, alphas.data(), {}};
    const double value = value_of(table, table.categorical_loss, args, batch, random);
    const RowLoss loss = [&](const Row& p, Row t) {
        for (double& v : t) v = v * (1 - double(smoothing)) + double(smoothing) / double(c);
        const Row q = from_logits ? softmax(p) : clipped(normalised(p));
        if (!is_focal) return crossentropy_of(q, t);
        double total = 0;
        for (int64_t i = 0; i < c; ++i) total -= alphas[i] * std::pow(1 - q[i], gamma) * t[i] * std::log(q[i]);
        return total;
    };
    compare(batch, weighted, loss, always, 1, value, 1e-5, context);
    CategoricalLossArgs evaluation = args;
    evaluation.batch = batch.args(weighted, false);
    CHECK_NEAR(value_of(table, table.categorical_loss, evaluation, batch, random), value, 1e-6, context);
    if (!is_focal) return;
    // The same from labels.
    std::vector<int32_t> labels(rows);
    for (int64_t r = 0; r < rows; ++r)
        for (int64_t i = 0; i < c; ++i)
            if (batch.target[r * c + i] != 0) labels[r] = static_cast<int32_t>(i);
    value_of(table, table.categorical_loss, args, batch, random);
    const std::vector<float> gradient = batch.gradient;
    CategoricalLossArgs of_labels = args;
    of_labels.target = nullptr;
    of_labels.labels = {labels.data(), LabelType::int32, false, 0};
    CHECK_NEAR(value_of(table, table.categorical_loss, of_labels, batch, random), value, 1e-6, context + " labels");
    for (size_t i = 0; i < gradient.size(); ++i)
        CHECK_CLOSE(batch.gradient[i], gradient[i], 1e-6 * std::fabs(gradient[i]), context + " gradient of labels");
}

template <class Label>
void test_sparse(const Table& table, LabelType type, int64_t rows, int64_t c, bool from_logits, bool ignoring,
                 bool weighted, Random& random) {
    const std::string context = striate::concat(table.isa, " sparse ", rows, "x", c, from_logits ? " logits" : "",
                                                ignoring ? " ignoring" : "", weighted ? " weighted" : "");
    Batch batch(rows, c, random.integer(1, 3), random);
    const int64_t ignored = 201;
    std::vector<Label> labels(rows);
    for (float& p : batch.prediction)
        p = static_cast<float>(from_logits ? random.uniform(-5, 5) : random.uniform(0.1, 1));
    for (int64_t r = 0; r < rows; ++r) {
        labels[r] = static_cast<Label>(random.integer(0, std::min<int64_t>(c - 1, 120)));
        if (ignoring && random.integer(0, 2) == 0) labels[r] = static_cast<Label>(ignored);
        if (labels[r] != ignored) batch.target[r * c + labels[r]] = 1;
    }
    const auto counts = [&](int64_t r) { return !ignoring || labels[r] != ignored; };
    SparseLossArgs args = {batch.args(weighted), from_logits, {labels.data(), type, ignoring, ignored}, nullptr};
    double normaliser[2] = {1, 0};
    if (ignoring) {
        const CountLabelsArgs count = {rows, args.labels, nullptr};
        std::vector<double> part(units(count));
        const CountLabelsArgs filled = {rows, args.labels, part.data()};
        run_in_pieces(table.count_labels, filled, units(filled), random);
        const LossNormaliserArgs merge = {rows, static_cast<int64_t>(part.size()), part.data(), normaliser};
        run_all(table.loss_normaliser, merge);
        int64_t valid = 0;
        for (int64_t r = 0; r < rows; ++r) valid += counts(r);
        CHECK_NEAR(normaliser[0], valid ? double(rows) / double(valid) : 0.0, 1e-12, context);
        CHECK(normaliser[1] == double(valid));
        args.batch.normaliser = normaliser;
        if (valid == 0) return;
    }
    std::vector<int64_t> bad(units(args));
    args.bad = bad.data();
    const double value = value_of(table, table.sparse_loss, args, batch, random);
    for (const int64_t b : bad) CHECK(b == -1);
    const RowLoss loss = [&](const Row& p, const Row& t) {
        return crossentropy_of(from_logits ? softmax(p) : clipped(normalised(p)), t);
    };
    compare(batch, weighted, loss, counts, normaliser[0], value, 1e-5, context);
}

void test_bad_labels(const Table& table) {
    for (const int64_t c : {10, 50}) {
        const int64_t rows = 40000;
        std::vector<float> prediction(rows * c, 0.5f), gradient(rows * c);
        std::vector<int64_t> labels(rows, 1);
        labels[39000] = c;
        labels[39990] = -1;
        LossRows batch = {rows, c, prediction.data(), gradient.data(), nullptr, 1, 1.0 / rows, nullptr, nullptr};
        std::vector<double> sums(units(batch));
        std::vector<int64_t> bad(units(batch));
        batch.sums = sums.data();
        const SparseLossArgs args = {batch, true, {labels.data(), LabelType::int64, false, 0}, bad.data()};
        run_all(table.sparse_loss, args);
        double out[2];
        int64_t first_bad = 0;
        const LossMergeArgs merge = {units(batch), rows, sums.data(), nullptr, out, bad.data(), &first_bad};
        run_all(table.loss_merge, merge);
        CHECK(first_bad == 39000);
        CHECK(gradient[39000 * c] == 0);
        labels[39000] = labels[39990] = 0;
        run_all(table.sparse_loss, args);
        run_all(table.loss_merge, merge);
        CHECK(first_bad == -1);
    }
}

// Extreme logits and saturated probabilities give finite losses and gradients.
void test_extremes(const Table& table) {
    std::vector<float> x = {-100, 0, 100, 3e38f, -3e38f, 1000}, target = {1, 0, 0, 1, 0, 1}, gradient(6);
    double sums[1];
    const LossRows batch = {6, 1, x.data(), gradient.data(), nullptr, 1, 1.0, nullptr, sums};
    for (const ElementLoss kind : {ElementLoss::binary_crossentropy_logits, ElementLoss::binary_focal_logits}) {
        const ElementLossArgs args = {batch, kind, target.data(), 1, 0, 2, 0.25f, false};
        run_all(table.element_loss, args);
        CHECK_NEAR(sums[0],
                   kind == ElementLoss::binary_crossentropy_logits ? 200 + std::log(2.0) : 200 + std::log(2.0) / 4,
                   1e-6, "extreme logits");
        for (const float g : gradient) CHECK(std::isfinite(g));
    }
    x = {0, 1, 0, 1, 0.5f, 0.5f}, target = {0, 1, 1, 0, 1, 0};
    for (const ElementLoss kind : {ElementLoss::binary_crossentropy, ElementLoss::binary_focal}) {
        const ElementLossArgs args = {batch, kind, target.data(), 1, 0, 2, 0.25f, false};
        run_all(table.element_loss, args);
        CHECK(std::isfinite(sums[0]));
        for (const float g : gradient) CHECK(std::isfinite(g));
        CHECK((kind == ElementLoss::binary_focal || gradient[2] == 0));  // clipped, as in Keras
    }
    std::vector<float> logits = {1e4f, -1e4f, 0, -std::numeric_limits<float>::infinity(), 0, 1},
                       one = {1, 0, 0, 0, 0, 1};
    for (const bool focal_loss : {false, true}) {
        const float alphas[] = {1, 1, 1};
        const LossRows rows = {2, 3, logits.data(), gradient.data(), nullptr, 1, 1.0, nullptr, sums};
        const CategoricalLossArgs args = {rows, true, focal_loss, one.data(), 0, 2, alphas, {}};
        run_all(table.categorical_loss, args);
        CHECK(std::isfinite(sums[0]));
        for (const float g : gradient) CHECK(std::isfinite(g));
    }
}

// Predictions, targets and weights of pixels; what is lost of each pixel by labels that are ignored.
struct Masks {
    Link link;
    bool labels, ignoring, by_pixel;

    std::string text() const {
        const char* const links[] = {"", " sigmoid", " softmax"};
        return striate::concat(links[static_cast<int>(link)], labels ? " labels" : "", ignoring ? " ignoring" : "",
                               by_pixel ? " by pixel" : "");
    }
};

void test_overlap(const Table& table, int64_t n, int64_t pixels, int64_t c, const Masks& masks, Random& random) {
    const int64_t size = n * pixels * c, pieces = std::min<int64_t>(pixels, 3), ignored = 201;
    const bool logits = masks.link != Link::none;
    std::vector<float> p(size), t(size), gradient(size), mean(n * c), scale(n * c), weights(n), each(n * pixels, 1.0f);
    std::vector<int64_t> labels(n * pixels);
    for (float& v : p) v = static_cast<float>(logits ? random.uniform(-3, 3) : random.uniform());
    for (float& v : t) v = static_cast<float>(random.integer(0, 1));
    for (float& w : weights) w = static_cast<float>(random.uniform(0.5, 1.5));
    if (masks.by_pixel)
        for (float& w : each) w = static_cast<float>(random.integer(0, 3) * random.uniform(0.5, 1.5));
    if (masks.labels) {
        std::fill(t.begin(), t.end(), 0.0f);
        for (int64_t r = 0; r < n * pixels; ++r) {
            labels[r] = masks.ignoring && random.integer(0, 2) == 0 ? ignored : random.integer(0, c - 1);
            if (labels[r] != ignored) t[r * c + labels[r]] = 1;
        }
    }
    const auto counted = [&](int64_t r) { return masks.labels && labels[r] == ignored ? 0.0 : double(each[r]); };
    std::vector<double> partials(n * pieces * 3 * c);
    const OverlapArgs sums = {n,
                              pixels,
                              c,
                              pieces,
                              masks.link,
                              p.data(),
                              masks.labels ? nullptr : t.data(),
                              {labels.data(), LabelType::int64, masks.ignoring, ignored},
                              masks.by_pixel ? each.data() : nullptr,
                              partials.data()};
    run_in_pieces(table.overlap, sums, units(sums), random);
    for (int mode = 0; mode < 48; ++mode) {
        const bool each_image = mode & 1, each_channel = mode & 2, tversky = mode & 4, weighted = mode & 8;
        const double smooth = mode < 16 ? -1.0 : mode < 32 ? 0.0 : 0.7;
        const std::string context =
            striate::concat(table.isa, " overlap ", n, "x", pixels, "x", c, masks.text(), " mode ", mode);
        const OverlapIndex index = {tversky, 0.3, 0.7, smooth};
        std::vector<double> out(2 + 3 * c);
        const OverlapMergeArgs merge = {n,           c,
                                        pieces,      partials.data(),
                                        each_image,  each_channel,
                                        index,       weighted ? weights.data() : nullptr,
                                        2.0,         out.data(),
                                        mean.data(), scale.data()};
        run_all(table.overlap_merge, merge);
        double value = 2.0 * out[0] / out[1];
        if (!each_image) {
            double losses = 0;
            const int64_t channels = each_channel ? c : 1;
            for (int64_t i = 0; i < channels; ++i)
                losses += 1 - overlap_index(index, out[2 + 3 * i], out[3 + 3 * i], out[4 + 3 * i]).index;
            value *= losses / double(channels);
        }
        const OverlapGradArgs back = {sums, mean.data(), scale.data(), gradient.data()};
        std::fill(gradient.begin(), gradient.end(), 7.0f);
        run_in_pieces(table.overlap_backward, back, units(back), random);
        const auto loss = [&] {
            const int64_t images = each_image ? n : 1, channels = each_channel ? c : 1;
            std::vector<double> both(images * channels), sum_t(images * channels), sum_p(images * channels);
            for (int64_t r = 0; r < n * pixels; ++r) {
                Row q(p.begin() + r * c, p.begin() + (r + 1) * c);
                if (masks.link == Link::softmax) q = softmax(q);
                for (int64_t i = 0; i < c; ++i) {
                    const double found = masks.link == Link::sigmoid ? sigmoid(q[i]) : q[i], mask = t[r * c + i];
                    const int64_t k = (each_image ? r / pixels : 0) * channels + (each_channel ? i : 0);
                    both[k] += counted(r) * found * mask;
                    sum_t[k] += counted(r) * mask;
                    sum_p[k] += counted(r) * found;
                }
            }
            double total = 0, mean_weight = 0;
            for (const float w : weights) mean_weight += weighted ? w / double(n) : 1.0 / double(n);
            for (int64_t k = 0; k < images * channels; ++k) {
                const double add = smooth >= 0 ? smooth : sum_t[k] == 0 ? 1.0 : 0.0;
                const double share = tversky ? (both[k] + add) / (both[k] + 0.3 * (sum_t[k] - both[k]) +
                                                                  0.7 * (sum_p[k] - both[k]) + add + kClip)
                                             : (2 * both[k] + add) / (sum_t[k] + sum_p[k] + add + kClip);
                const double weight = each_image && weighted ? weights[k / channels] : each_image ? 1 : mean_weight;
                total += 2.0 * weight * (1 - share) / double(images * channels);
            }
            return total;
        };
        CHECK_NEAR(value, loss(), 1e-6, context);
        for (int64_t i = 0; i < size; i += 1 + size / 20) {
            const float at = p[i];
            p[i] = at + 0.001f;
            const double above = loss(), up = p[i];
            p[i] = at - 0.001f;
            const double slope = (above - loss()) / (up - p[i]);
            p[i] = at;
            CHECK_CLOSE(gradient[i], slope, 1e-5 + 1e-3 * std::fabs(slope), context + " gradient");
        }
        for (int64_t r = 0; r < n * pixels; ++r)
            if (counted(r) == 0)
                for (int64_t i = 0; i < c; ++i) CHECK(gradient[r * c + i] == 0);
    }
}

}  // namespace

TEST_CASE("losses of single elements") {
    Random random(7);
    for (const Table* table : check::tables())
        for (const Element& e : elements())
            for (const bool weighted : {false, true})
                for (const auto& [rows, c] : {std::pair<int64_t, int64_t>{1, 1}, {37, 1}, {5, 7}, {3, 70}, {700, 3}})
                    test_element(*table, e, rows, c, weighted, random);
}

const std::pair<int64_t, int64_t> kCategories[] = {
    {1, 2}, {37, 3}, {20, 10}, {5, 32}, {4, 33}, {3, 150}, {check::many(6000, 20), 4}};

TEST_CASE("cross-entropy of distributions, plain and focal") {
    Random random(7);
    for (const Table* table : check::tables())
        for (const bool from_logits : {false, true})
            for (const bool weighted : {false, true})
                for (const auto& [rows, c] : kCategories)
                    for (const float smoothing : {0.0f, 0.1f}) {
                        test_categorical(*table, rows, c, from_logits, false, smoothing, 0, weighted, random);
                        for (const float gamma : {0.0f, 2.0f, 1.5f})
                            test_categorical(*table, rows, c, from_logits, true, smoothing, gamma, weighted, random);
                    }
}

TEST_CASE("cross-entropy of labels") {
    Random random(7);
    for (const Table* table : check::tables())
        for (const bool from_logits : {false, true})
            for (const bool weighted : {false, true})
                for (const auto& [rows, c] : kCategories)
                    for (const bool ignoring : {false, true}) {
                        test_sparse<int64_t>(*table, LabelType::int64, rows, c, from_logits, ignoring, weighted,
                                             random);
                        test_sparse<int32_t>(*table, LabelType::int32, rows, c, from_logits, ignoring, weighted,
                                             random);
                        test_sparse<uint8_t>(*table, LabelType::uint8, rows, c, from_logits, ignoring, weighted,
                                             random);
                    }
}

TEST_CASE("labels out of range are reported") {
    for (const Table* table : check::tables()) test_bad_labels(*table);
}

TEST_CASE("extreme logits and probabilities give finite losses") {
    for (const Table* table : check::tables()) test_extremes(*table);
}

TEST_CASE("overlap of masks") {
    Random random(7);
    for (const Table* table : check::tables())
        for (const Link link : {Link::none, Link::sigmoid, Link::softmax})
            for (const bool by_pixel : {false, true})
                for (const auto& [n, pixels, c] :
                     {std::tuple<int64_t, int64_t, int64_t>{2, 35, 1}, {3, 50, 4}, {1, 9, 20}, {1, 5, 40}, {2, 1, 1}}) {
                    if (link == Link::softmax && c == 1) continue;
                    test_overlap(*table, n, pixels, c, {link, false, false, by_pixel}, random);
                    for (const bool ignoring : {false, true})
                        if (c > 1) test_overlap(*table, n, pixels, c, {link, true, ignoring, by_pixel}, random);
                }
}
