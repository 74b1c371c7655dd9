#include "kernels/args_loss.hpp"
#include "kernels/simd_math.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

constexpr int64_t kStretch = 256;  // elements whose losses are added in floats
constexpr float kEpsilon = 1e-7f;

// The weight of each of `count` elements from number `first` on.
void spread_weights(const LossRows& b, int64_t first, int64_t count, float* out) {
    int64_t row = first / b.c, column = first % b.c;
    int64_t weight = row / b.rows_per_weight, within = row % b.rows_per_weight;
    for (int64_t i = 0; i < count; ++i) {
        out[i] = b.weights[weight];
        if (++column < b.c) continue;
        column = 0;
        if (++within < b.rows_per_weight) continue;
        within = 0;
        ++weight;
    }
}

// f(prediction, target, value, gradient) sets the last two.
template <class F>
STRIATE_INLINE void each_element(const ElementLossArgs& a, float zeros, float ones, int64_t begin, int64_t end, F f) {
    const LossRows& b = a.batch;
    const int64_t per_unit = loss_rows(b.c) * b.c;
    const double share = 1.0 / static_cast<double>(b.c);
    const float factor = static_cast<float>(b.scale * (b.normaliser ? *b.normaliser : 1.0) * share);
    for (int64_t unit = begin; unit < end; ++unit) {
        double total = 0;
        const int64_t last = lesser(b.rows * b.c, (unit + 1) * per_unit);
        for (int64_t first = unit * per_unit; first < last; first += kStretch) {
            const int64_t count = lesser(kStretch, last - first);
            const float *p = b.prediction + first, *t = a.target + first;
            float weights[kStretch];
            if (b.weights) spread_weights(b, first, count, weights);
            Vec stretch = {};
            each_vector(count, [&](int64_t i, auto lanes) {
                Vec value, gradient;
                f(lanes.load(p + i), lanes.load(t + i) * (ones - zeros) + zeros, value, gradient);
                if (b.weights) {
                    const Vec w = lanes.load(weights + i);
                    value = value * w;
                    gradient = gradient * w;
                }
                stretch += lanes.keep(value, Vec{});
                if (b.gradient) lanes.store(b.gradient + first + i, gradient * factor);
            });
            total += sum_exactly(stretch);
        }
        b.sums[unit] = total * share;
    }
}

// From a probability: the loss, and its derivative, which is 0 where the prediction was clipped.
STRIATE_INLINE void crossentropy(Vec p, Vec t, Vec& value, Vec& slope) {
    const Vec q = min(broadcast(1.0f - kEpsilon), max(broadcast(kEpsilon), p));
    value = -(t * log(q) + (1.0f - t) * log1p(-q));
    slope = select((p < kEpsilon) | (p > 1.0f - kEpsilon), Vec{}, (q - t) / (q * (1.0f - q)));
}
// From a logit, with the probabilities of one and zero.
STRIATE_INLINE Vec crossentropy_of_logit(Vec x, Vec t, Vec& one, Vec& zero) {
    const Vec e = exp(-abs(x));
    const Vec large = 1.0f / (1.0f + e), small = e / (1.0f + e);
    one = select(x >= 0.0f, large, small);
    zero = select(x >= 0.0f, small, large);
    return max(Vec{}, x) - x * t + log1p(e);
}

// `wrong` is how far the prediction is off its target, `wrong_slope` its derivative by the prediction.
STRIATE_INLINE void focus(const ElementLossArgs& a, Vec t, Vec wrong, Vec wrong_slope, Vec& value, Vec& slope) {
    const Vec focal = power(wrong, a.gamma);
    const Vec focal_slope = a.gamma * focal / max(broadcast(1e-30f), wrong) * wrong_slope;
    const Vec weight = a.balanced ? t * a.alpha + (1.0f - t) * (1.0f - a.alpha) : broadcast(1.0f);
    slope = weight * (focal_slope * value + focal * slope);
    value = weight * focal * value;
}

}  // namespace

void element_loss(const ElementLossArgs& a, int64_t begin, int64_t end) {
    const float zeros = 0.5f * a.label_smoothing, ones = 1.0f - 0.5f * a.label_smoothing;
    switch (a.kind) {
        case ElementLoss::squared_error:
            return each_element(a, 0, 1, begin, end, [](Vec p, Vec t, Vec& value, Vec& slope) {
                const Vec error = p - t;
                value = error * error;
                slope = error + error;
            });
        case ElementLoss::absolute_error:
            return each_element(a, 0, 1, begin, end, [](Vec p, Vec t, Vec& value, Vec& slope) {
                const Vec error = p - t;
                value = abs(error);
                slope = select(error == 0.0f, error, with_sign_of(broadcast(1.0f), error));
            });
        case ElementLoss::huber:
            return each_element(a, 0, 1, begin, end, [&](Vec p, Vec t, Vec& value, Vec& slope) {
                const Vec error = p - t, size = abs(error);
                const VecI inside = size <= a.delta;
                value = select(inside, 0.5f * error * error, a.delta * size - 0.5f * a.delta * a.delta);
                slope = select(inside, error, with_sign_of(broadcast(a.delta), error));
            });
        case ElementLoss::binary_crossentropy:
            return each_element(a, zeros, ones, begin, end,
                                [](Vec p, Vec t, Vec& value, Vec& slope) { crossentropy(p, t, value, slope); });
        case ElementLoss::binary_crossentropy_logits:
            return each_element(a, zeros, ones, begin, end, [](Vec x, Vec t, Vec& value, Vec& slope) {
                Vec one, zero;
                value = crossentropy_of_logit(x, t, one, zero);
                slope = one * (1.0f - t) - zero * t;
            });
        case ElementLoss::binary_focal:
            return each_element(a, zeros, ones, begin, end, [&](Vec p, Vec t, Vec& value, Vec& slope) {
                crossentropy(p, t, value, slope);
                focus(a, t, t * (1.0f - p) + (1.0f - t) * p, 1.0f - 2.0f * t, value, slope);
            });
        case ElementLoss::binary_focal_logits:
            return each_element(a, zeros, ones, begin, end, [&](Vec x, Vec t, Vec& value, Vec& slope) {
                Vec one, zero;
                value = crossentropy_of_logit(x, t, one, zero);
                slope = one * (1.0f - t) - zero * t;
                focus(a, t, t * zero + (1.0f - t) * one, (1.0f - 2.0f * t) * one * zero, value, slope);
            });
        case ElementLoss::kl_divergence: {
            const auto columns = static_cast<float>(a.batch.c);  // a sum where the others have a mean
            return each_element(a, 0, 1, begin, end, [=](Vec p, Vec t, Vec& value, Vec& slope) {
                const Vec q = min(broadcast(1.0f), max(broadcast(kEpsilon), p));
                const Vec share = columns * min(broadcast(1.0f), max(broadcast(kEpsilon), t));
                value = share * (log(share / columns) - log(q));
                slope = select((p < kEpsilon) | (p > 1.0f), Vec{}, -share / q);
            });
        }
    }
}

}  // namespace striate::kernels::STRIATE_ISA
