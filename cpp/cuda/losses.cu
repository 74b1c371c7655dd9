// Losses: a block a unit of rows, which writes one sum; by classes, a warp a row.
#include "device.cuh"

namespace striate::cuda {
namespace {

constexpr float kEpsilon = 1e-7f;
constexpr int kWarps = kBlock / kWarpSize;

STRIATE_DEVICE float clipped(float p) {
    return p < kEpsilon ? kEpsilon : p > 1.0f - kEpsilon ? 1.0f - kEpsilon : p;
}

struct Loss {
    float value, slope;
};

// From a probability: the loss, and its derivative, which is 0 where the prediction was clipped.
STRIATE_DEVICE Loss crossentropy(float p, float t) {
    const float q = clipped(p);
    const bool cut = p < kEpsilon || p > 1.0f - kEpsilon;
    return {-(t * logf(q) + (1.0f - t) * log1pf(-q)), cut ? 0.0f : (q - t) / (q * (1.0f - q))};
}
// From a logit, with the probabilities of one and zero.
STRIATE_DEVICE Loss crossentropy_of_logit(float x, float t, float& one, float& zero) {
    const float e = expf(-fabsf(x));
    const float large = 1.0f / (1.0f + e), small = e / (1.0f + e);
    one = x >= 0.0f ? large : small;
    zero = x >= 0.0f ? small : large;
    return {relu_of(x) - x * t + log1pf(e), one * (1.0f - t) - zero * t};
}
// `wrong` is how far the prediction is off its target, `wrong_slope` its derivative by the prediction.
STRIATE_DEVICE Loss focus(const ElementLossArgs& a, float t, float wrong, float wrong_slope, Loss loss) {
    const float focal = powf(wrong, a.gamma);
    const float focal_slope = a.gamma * focal / (wrong < 1e-30f ? 1e-30f : wrong) * wrong_slope;
    const float weight = a.balanced ? t * a.alpha + (1.0f - t) * (1.0f - a.alpha) : 1.0f;
    return {weight * focal * loss.value, weight * (focal_slope * loss.value + focal * loss.slope)};
}

STRIATE_DEVICE Loss loss_of(const ElementLossArgs& a, float p, float t) {
    const float error = p - t, size = fabsf(error);
    float one = 0, zero = 0;
    switch (a.kind) {
        case ElementLoss::squared_error:
            return {error * error, error + error};
        case ElementLoss::absolute_error:
            return {size, error == 0.0f ? error : copysignf(1.0f, error)};
        case ElementLoss::huber:
            if (size <= a.delta) return {0.5f * error * error, error};
            return {a.delta * size - 0.5f * a.delta * a.delta, copysignf(a.delta, error)};
        case ElementLoss::binary_crossentropy:
            return crossentropy(p, t);
        case ElementLoss::binary_crossentropy_logits:
            return crossentropy_of_logit(p, t, one, zero);
        case ElementLoss::binary_focal:
            return focus(a, t, t * (1.0f - p) + (1.0f - t) * p, 1.0f - 2.0f * t, crossentropy(p, t));
        case ElementLoss::binary_focal_logits: {
            const Loss plain = crossentropy_of_logit(p, t, one, zero);
            return focus(a, t, t * zero + (1.0f - t) * one, (1.0f - 2.0f * t) * one * zero, plain);
        }
        case ElementLoss::kl_divergence:
            break;
    }
    const float q = p < kEpsilon ? kEpsilon : p > 1.0f ? 1.0f : p;
    const float share = t < kEpsilon ? kEpsilon : t > 1.0f ? 1.0f : t;
    return {share * (logf(share) - logf(q)), p < kEpsilon || p > 1.0f ? 0.0f : -share / q};
}

STRIATE_DEVICE bool smooths(ElementLoss kind) {
    return kind == ElementLoss::binary_crossentropy || kind == ElementLoss::binary_crossentropy_logits ||
           kind == ElementLoss::binary_focal || kind == ElementLoss::binary_focal_logits;
}

STRIATE_DEVICE double scale_of(const LossRows& b) {
    return b.scale * (b.normaliser ? *b.normaliser : 1.0);
}

__global__ void __launch_bounds__(kBlock) element_losses(const ElementLossArgs a) {
    const LossRows& b = a.batch;
    const int64_t per_unit = loss_rows(b.c) * b.c, all = b.rows * b.c;
    const int64_t begin = blockIdx.x * per_unit, end = begin + per_unit < all ? begin + per_unit : all;
    const double share = a.kind == ElementLoss::kl_divergence ? 1.0 : 1.0 / static_cast<double>(b.c);
    const auto factor = static_cast<float>(scale_of(b) * share);
    const float zeros = smooths(a.kind) ? 0.5f * a.label_smoothing : 0.0f;
    const float ones = smooths(a.kind) ? 1.0f - 0.5f * a.label_smoothing : 1.0f;
    LongSum sum;
    for (int64_t i = begin + threadIdx.x; i < end; i += kBlock) {
        Loss loss = loss_of(a, b.prediction[i], a.target[i] * (ones - zeros) + zeros);
        const float weight = b.weights ? b.weights[i / b.c / b.rows_per_weight] : 1.0f;
        sum.add(b.weights ? loss.value * weight : loss.value);
        if (b.gradient) b.gradient[i] = (b.weights ? loss.slope * weight : loss.slope) * factor;
    }
    const double total = block_sum(sum.total());
    if (threadIdx.x == 0) b.sums[blockIdx.x] = total * share;
}

STRIATE_DEVICE int64_t label_at(const Labels& labels, int64_t row) {
    switch (labels.type) {
        case LabelType::uint8:
            return static_cast<const uint8_t*>(labels.data)[row];
        case LabelType::int32:
            return static_cast<const int32_t*>(labels.data)[row];
        case LabelType::int64:
            break;
    }
    return static_cast<const int64_t*>(labels.data)[row];
}

// A row of classes, of which each lane has every 32nd. `label` is its class, or there are targets for all.
struct Row {
    const float* x;
    const float* target;
    int64_t c, label;
    float keep, add;  // of label smoothing
    int lane;

    template <class F>
    STRIATE_DEVICE float sum(F f) const {
        float part = 0;
        for (int64_t i = lane; i < c; i += kWarpSize) part += f(i);
        return warp_sum(part);
    }
    STRIATE_DEVICE float top() const {
        float best = x[lane < c ? lane : 0];
        for (int64_t i = lane + kWarpSize; i < c; i += kWarpSize) best = !(x[i] <= best) && best == best ? x[i] : best;
        return warp_max(best);
    }
    // target * v, and 0 where the target is 0, whatever v.
    STRIATE_DEVICE float times_target(int64_t i, float v) const {
        const float t = target ? target[i] * keep + add : i == label ? keep + add : add;
        return t == 0.0f ? 0.0f : t * v;
    }
};

// -sum t log softmax(x); gradient softmax(x) * sum t - t. Gradients are multiplied by `scale`.
STRIATE_DEVICE float from_logits(const Row& r, float* gradient, float scale) {
    const float top = r.top();
    const float sum_exp = r.sum([&](int64_t i) { return expf(r.x[i] - top); });
    const float log_sum = logf(sum_exp);
    const float value = r.sum([&](int64_t i) { return r.times_target(i, log_sum - (r.x[i] - top)); });
    if (!gradient) return value;
    const float share = r.sum([&](int64_t i) { return r.times_target(i, 1.0f); }) / sum_exp;
    for (int64_t i = r.lane; i < r.c; i += kWarpSize)
        gradient[i] = (expf(r.x[i] - top) * share - r.times_target(i, 1.0f)) * scale;
    return value;
}

// -sum t log q with q = x / sum x, clipped; d / dx_i = (g_i - sum g_j q_j) / sum x, where g = -t / q and 0 where
// clipped.
STRIATE_DEVICE float from_probabilities(const Row& r, float* gradient, float scale) {
    const float sum_x = r.sum([&](int64_t i) { return r.x[i]; });
    const float value = r.sum([&](int64_t i) { return -r.times_target(i, logf(clipped(r.x[i] / sum_x))); });
    if (!gradient) return value;
    const auto slope = [&](int64_t i) {
        const float q = r.x[i] / sum_x;
        return q < kEpsilon || q > 1.0f - kEpsilon ? 0.0f : -r.times_target(i, 1.0f / q);
    };
    const float common = r.sum([&](int64_t i) { return slope(i) * (r.x[i] / sum_x); });
    for (int64_t i = r.lane; i < r.c; i += kWarpSize) gradient[i] = (slope(i) - common) / sum_x * scale;
    return value;
}

// -sum alpha t (1 - q)^gamma log q; from logits q = softmax(x) and log q is exact, from probabilities as above.
STRIATE_DEVICE float focal(const Row& r, const CategoricalLossArgs& a, float* gradient, float scale) {
    float top = 0, divisor = 0, log_divisor = 0;
    if (a.from_logits) {
        top = r.top();
        divisor = r.sum([&](int64_t i) { return expf(r.x[i] - top); });
        log_divisor = logf(divisor);
    } else {
        divisor = r.sum([&](int64_t i) { return r.x[i]; });
    }
    struct Class {
        float q, log_q;
    };
    const auto classify = [&](int64_t i) -> Class {
        if (a.from_logits) {
            const float log_q = r.x[i] - top - log_divisor;
            return {expf(log_q), log_q};
        }
        const float q = clipped(r.x[i] / divisor);
        return {q, logf(q)};
    };
    const float value = r.sum([&](int64_t i) {
        const Class k = classify(i);
        return -r.times_target(i, a.alphas[i] * powf(1.0f - k.q, a.gamma) * k.log_q);
    });
    if (!gradient) return value;
    // q times d/dq of -(1 - q)^gamma log q
    const auto slope = [&](int64_t i) {
        const float raw = r.x[i] / divisor;
        if (!a.from_logits && (raw < kEpsilon || raw > 1.0f - kEpsilon)) return 0.0f;
        const Class k = classify(i);
        const float wrong = 1.0f - k.q, power = powf(wrong, a.gamma);
        const float s = a.gamma * power / (wrong < 1e-30f ? 1e-30f : wrong) * k.q * k.log_q - power;
        return r.times_target(i, a.alphas[i] * s);
    };
    const float common = r.sum(slope);
    for (int64_t i = r.lane; i < r.c; i += kWarpSize) {
        const float g = slope(i), q = classify(i).q;
        gradient[i] = (a.from_logits ? g - q * common : (g / q - common) / divisor) * scale;
    }
    return value;
}

// The rows of a unit, each by loss(row, gradient, scale). `labels` and `bad` may be null.
template <class F>
STRIATE_DEVICE void each_row(const LossRows& b, const Labels* labels, const float* target, float keep, float add,
                             int64_t* bad, F loss) {
    using Firsts = int64_t[kWarps];
    STRIATE_SHARED(Firsts, first_bad);
    const int warp = threadIdx.x / kWarpSize;
    const int64_t per_unit = loss_rows(b.c), begin = blockIdx.x * per_unit;
    const int64_t end = begin + per_unit < b.rows ? begin + per_unit : b.rows;
    const auto factor = static_cast<float>(scale_of(b));
    double total = 0;
    int64_t own_bad = -1;
    for (int64_t row = begin + warp; row < end; row += kWarps) {
        Row r;
        r.x = b.prediction + row * b.c;
        r.target = target ? target + row * b.c : nullptr;
        r.c = b.c, r.keep = keep, r.add = add, r.lane = threadIdx.x % kWarpSize;
        r.label = labels ? label_at(*labels, row) : 0;
        float* const gradient = b.gradient ? b.gradient + row * b.c : nullptr;
        const bool ignored = labels && labels->ignores && r.label == labels->ignored;
        if (!ignored && (r.label < 0 || r.label >= b.c) && own_bad < 0) own_bad = row;
        if (ignored || r.label < 0 || r.label >= b.c) {
            for (int64_t i = r.lane; gradient && i < b.c; i += kWarpSize) gradient[i] = 0.0f;
            continue;
        }
        const float weight = b.weights ? b.weights[row / b.rows_per_weight] : 1.0f;
        total += static_cast<double>(loss(r, gradient, weight * factor)) * weight;
    }
    if (threadIdx.x % kWarpSize == 0) first_bad[warp] = own_bad;
    const double sum = block_sum(threadIdx.x % kWarpSize == 0 ? total : 0.0);
    if (threadIdx.x != 0) return;
    b.sums[blockIdx.x] = sum;
    if (!bad) return;
    int64_t first = -1;
    for (int k = 0; k < kWarps; ++k)
        if (first_bad[k] >= 0 && (first < 0 || first_bad[k] < first)) first = first_bad[k];
    bad[blockIdx.x] = first;
}

__global__ void __launch_bounds__(kBlock) categorical_losses(const CategoricalLossArgs a) {
    const float keep = 1.0f - a.label_smoothing, add = a.label_smoothing / static_cast<float>(a.batch.c);
    each_row(a.batch, a.target ? nullptr : &a.labels, a.target, keep, add, nullptr,
             [&](const Row& r, float* gradient, float scale) {
                 return a.focal         ? focal(r, a, gradient, scale)
                        : a.from_logits ? from_logits(r, gradient, scale)
                                        : from_probabilities(r, gradient, scale);
             });
}

__global__ void __launch_bounds__(kBlock) sparse_losses(const SparseLossArgs a) {
    each_row(a.batch, &a.labels, nullptr, 1.0f, 0.0f, a.bad, [&](const Row& r, float* gradient, float scale) {
        return a.from_logits ? from_logits(r, gradient, scale) : from_probabilities(r, gradient, scale);
    });
}

struct CountLabels {
    template <class I>
    static STRIATE_DEVICE void at(const CountLabelsArgs& a, I unit) {
        const int64_t begin = unit * kMergeChunk, end = begin + kMergeChunk < a.rows ? begin + kMergeChunk : a.rows;
        int64_t count = 0;
        for (int64_t row = begin; row < end; ++row)
            count += !a.labels.ignores || label_at(a.labels, row) != a.labels.ignored;
        a.counts[unit] = static_cast<double>(count);
    }
};

__global__ void __launch_bounds__(kBlock) normaliser(const LossNormaliserArgs a) {
    double part = 0;
    for (int64_t i = threadIdx.x; i < a.size; i += kBlock) part += a.counts[i];
    const double counted = block_sum(part);
    if (threadIdx.x != 0) return;
    a.out[0] = counted > 0 ? static_cast<double>(a.rows) / counted : 0.0;
    a.out[1] = counted;
}

__global__ void __launch_bounds__(kBlock) merge_losses(const LossMergeArgs a) {
    double part = 0;
    for (int64_t i = threadIdx.x; i < a.size; i += kBlock) part += a.sums[i];
    const double total = block_sum(part);
    if (threadIdx.x != 0) return;
    a.out[0] = total;
    a.out[1] = a.normaliser ? a.normaliser[1] : static_cast<double>(a.rows);
    if (!a.bad) return;
    *a.first_bad = -1;
    for (int64_t i = 0; i < a.size && *a.first_bad < 0; ++i) *a.first_bad = a.bad[i];
}

unsigned units_of(const LossRows& b) {
    return static_cast<unsigned>(divide_up(b.rows, loss_rows(b.c)));
}

}  // namespace

void element_loss(const ElementLossArgs& a, cudaStream_t stream) {
    STRIATE_LAUNCH(element_losses, units_of(a.batch), kBlock, stream, a);
}
void categorical_loss(const CategoricalLossArgs& a, cudaStream_t stream) {
    STRIATE_LAUNCH(categorical_losses, units_of(a.batch), kBlock, stream, a);
}
void sparse_loss(const SparseLossArgs& a, cudaStream_t stream) {
    STRIATE_LAUNCH(sparse_losses, units_of(a.batch), kBlock, stream, a);
}
void count_labels(const CountLabelsArgs& a, cudaStream_t stream) {
    for_each<CountLabels>(a, divide_up(a.rows, kMergeChunk), stream);
}
void loss_normaliser(const LossNormaliserArgs& a, cudaStream_t stream) {
    STRIATE_LAUNCH(normaliser, 1u, kBlock, stream, a);
}
void loss_merge(const LossMergeArgs& a, cudaStream_t stream) {
    STRIATE_LAUNCH(merge_losses, 1u, kBlock, stream, a);
}

}  // namespace striate::cuda
