#include "kernels/loss_rows.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

constexpr float kEpsilon = 1e-7f;

// -sum t log softmax(x); gradient softmax(x) * sum t - t.
struct FromLogits {
    template <class Rows>
    STRIATE_INLINE Vec operator()(Rows& r, bool want_gradient) const {
        const Vec top = r.top([&](auto e) { return r.prediction(e); });
        const Vec sum_exp = r.total([&](auto e) {
            const Vec exponential = exp(r.prediction(e) - top);
            r.keep(e, exponential);
            return exponential;
        });
        const Vec log_sum = log(sum_exp);
        const Vec value = r.total([&](auto e) { return r.times_target(e, log_sum - (r.prediction(e) - top)); });
        if (!want_gradient) return value;
        const Vec total = r.total([&](auto e) { return r.times_target(e, broadcast(1.0f)); });
        const Vec share = total / sum_exp;
        r.each([&](auto e) { r.keep(e, r.kept(e) * share - r.times_target(e, broadcast(1.0f))); });
        return value;
    }
};

// -sum t log q with q = x / sum x, clipped; d / dx_i = (g_i - sum g_j q_j) / sum x, where g = -t / q and 0 where
// clipped.
struct FromProbabilities {
    template <class Rows>
    STRIATE_INLINE Vec operator()(Rows& r, bool want_gradient) const {
        const Vec sum_x = r.total([&](auto e) { return r.prediction(e); });
        const Vec value = r.total([&](auto e) {
            const Vec q = min(broadcast(1.0f - kEpsilon), max(broadcast(kEpsilon), r.prediction(e) / sum_x));
            return -r.times_target(e, log(q));
        });
        if (!want_gradient) return value;
        const Vec common = r.total([&](auto e) {
            const Vec q = r.prediction(e) / sum_x;
            const VecI clipped = (q < kEpsilon) | (q > 1.0f - kEpsilon);
            const Vec g = select(clipped, Vec{}, -r.times_target(e, 1.0f / q));
            r.keep(e, g);
            return g * q;
        });
        r.each([&](auto e) { r.keep(e, (r.kept(e) - common) / sum_x); });
        return value;
    }
};

// -sum alpha t (1 - q)^gamma log q; from logits q = softmax(x) and log q is exact, from probabilities as above.
struct Focal {
    const float* alphas;
    float gamma;
    bool from_logits;

    // d/dq of -(1 - q)^gamma log q, times q
    STRIATE_INLINE Vec slope(Vec q, Vec log_q) const {
        const Vec wrong = 1.0f - q;
        const Vec focal = power(wrong, gamma);
        return gamma * focal / max(broadcast(1e-30f), wrong) * q * log_q - focal;
    }
    template <class Rows>
    STRIATE_INLINE Vec operator()(Rows& r, bool want_gradient) const {
        Vec top = {}, divisor, log_divisor = {};
        if (from_logits) {
            top = r.top([&](auto e) { return r.prediction(e); });
            divisor = r.total([&](auto e) { return exp(r.prediction(e) - top); });
            log_divisor = log(divisor);
        } else {
            divisor = r.total([&](auto e) { return r.prediction(e); });
        }
        const auto classify = [&](auto e, Vec& q, Vec& log_q) __attribute__((always_inline)) {
            const Vec x = r.prediction(e);
            if (from_logits) {
                log_q = x - top - log_divisor;
                q = exp(log_q);
            } else {
                q = min(broadcast(1.0f - kEpsilon), max(broadcast(kEpsilon), x / divisor));
                log_q = log(q);
            }
        };
        const Vec value = r.total([&](auto e) {
            Vec q, log_q;
            classify(e, q, log_q);
            return -r.times_target(e, r.per_class(e, alphas) * power(1.0f - q, gamma) * log_q);
        });
        if (!want_gradient) return value;
        const Vec common = r.total([&](auto e) {
            Vec q, log_q;
            classify(e, q, log_q);
            Vec g = r.times_target(e, r.per_class(e, alphas) * slope(q, log_q));
            const Vec raw = r.prediction(e) / divisor;
            if (!from_logits) g = select((raw < kEpsilon) | (raw > 1.0f - kEpsilon), Vec{}, g);
            r.keep(e, g);
            return g;
        });
        r.each([&](auto e) {
            Vec q, log_q;
            classify(e, q, log_q);
            const Vec g = r.kept(e);
            r.keep(e, from_logits ? g - q * common : (g / q - common) / divisor);
        });
        return value;
    }
};

}  // namespace

void categorical_loss(const CategoricalLossArgs& a, int64_t begin, int64_t end) {
    const float keep = 1.0f - a.label_smoothing, add = a.label_smoothing / static_cast<float>(a.batch.c);
    const DenseTargets targets{a.target, keep, add};
    if (!a.target && a.focal)
        each_row(a.batch, LabelTargets{a.labels, keep, add}, nullptr, begin, end,
                 Focal{a.alphas, a.gamma, a.from_logits});
    else if (a.focal)
        each_row(a.batch, targets, nullptr, begin, end, Focal{a.alphas, a.gamma, a.from_logits});
    else if (a.from_logits)
        each_row(a.batch, targets, nullptr, begin, end, FromLogits{});
    else
        each_row(a.batch, targets, nullptr, begin, end, FromProbabilities{});
}

void sparse_loss(const SparseLossArgs& a, int64_t begin, int64_t end) {
    const LabelTargets targets{a.labels};
    if (a.from_logits)
        each_row(a.batch, targets, a.bad, begin, end, FromLogits{});
    else
        each_row(a.batch, targets, a.bad, begin, end, FromProbabilities{});
}

void count_labels(const CountLabelsArgs& a, int64_t begin, int64_t end) {
    for (int64_t unit = begin; unit < end; ++unit) {
        int64_t count = 0;
        const int64_t last = lesser(a.rows, (unit + 1) * kMergeChunk);
        for (int64_t row = unit * kMergeChunk; row < last; ++row)
            count += !a.labels.ignores || label_at(a.labels, row) != a.labels.ignored;
        a.counts[unit] = static_cast<double>(count);
    }
}

}  // namespace striate::kernels::STRIATE_ISA
