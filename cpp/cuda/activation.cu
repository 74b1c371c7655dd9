// Activations, one thread an element.
#include "device.cuh"

namespace striate::cuda {
namespace {

constexpr float kInvSqrt2 = 0.707106781f, kInvSqrt2Pi = 0.398942280f, kSqrt2OverPi = 0.797884561f, kCubic = 0.044715f,
                kTwoOverSqrtPi = 1.12837917f;

STRIATE_DEVICE float clamp(float v, float low, float high) {
    return v < low ? low : v > high ? high : v;
}
STRIATE_DEVICE float sigmoid(float x) {
    return 1.0f / (1.0f + expf(-x));
}
STRIATE_DEVICE float hard_sigmoid(float x) {
    return clamp(x + 3.0f, 0.0f, 6.0f) * (1.0f / 6.0f);
}

STRIATE_DEVICE float value(const ActivationArgs& a, float x) {
    switch (a.kind) {
        case ActivationKind::linear:
            return x;
        case ActivationKind::relu:
            return relu_of(x);
        case ActivationKind::relu6:
            return clamp(x, 0.0f, 6.0f);
        case ActivationKind::leaky_relu:
            return x < 0.0f ? x * a.alpha : x;
        case ActivationKind::elu:
            return x > 0.0f ? x : a.alpha * expm1f(x);
        case ActivationKind::sigmoid:
            return sigmoid(x);
        case ActivationKind::tanh:
            return tanhf(x);
        case ActivationKind::softplus:
            return relu_of(x) + log1pf(expf(-fabsf(x)));
        case ActivationKind::silu:
            return x * sigmoid(x);
        case ActivationKind::gelu:
            return 0.5f * x * (1.0f + erff(x * kInvSqrt2));
        case ActivationKind::gelu_tanh:
            return 0.5f * x * (1.0f + tanhf(kSqrt2OverPi * (x + kCubic * x * x * x)));
        case ActivationKind::hard_sigmoid:
            return hard_sigmoid(x);
        case ActivationKind::hard_swish:
            return x * hard_sigmoid(x);
        case ActivationKind::exponential:
            return expf(x);
        case ActivationKind::log:
            return logf(x);
        case ActivationKind::sqrt:
            return sqrtf(x);
        case ActivationKind::abs:
            return fabsf(x);
        case ActivationKind::reciprocal:
            return 1.0f / x;
        case ActivationKind::reciprocal_no_nan:
            return x == 0.0f ? 0.0f : 1.0f / x;
        case ActivationKind::erf:
            return erff(x);
        case ActivationKind::rectifier:
            break;
    }
    return x >= a.ceiling ? a.ceiling : x < a.threshold ? a.alpha * (x - a.threshold) : x;
}

STRIATE_DEVICE bool reads_x(ActivationKind kind) {
    return kind == ActivationKind::silu || kind == ActivationKind::gelu || kind == ActivationKind::gelu_tanh ||
           kind == ActivationKind::hard_swish || kind == ActivationKind::rectifier || kind == ActivationKind::log ||
           kind == ActivationKind::abs || kind == ActivationKind::erf;
}

// `s` is x or y, whichever the kind reads.
STRIATE_DEVICE float gradient(const ActivationGradArgs& a, float dy, float s) {
    switch (a.kind) {
        case ActivationKind::linear:
            return dy;
        case ActivationKind::relu:
            return s <= 0.0f ? 0.0f : dy;
        case ActivationKind::relu6:
            return s <= 0.0f || s >= 6.0f ? 0.0f : dy;
        case ActivationKind::leaky_relu:
            return s <= 0.0f ? dy * a.alpha : dy;
        case ActivationKind::elu:
            return s > 0.0f ? dy : dy * (s + a.alpha);
        case ActivationKind::sigmoid:
            return dy * s * (1.0f - s);
        case ActivationKind::tanh:
            return dy * ((1.0f - s) * (1.0f + s));
        case ActivationKind::softplus:
            return -dy * expm1f(-s);
        case ActivationKind::hard_sigmoid:
            return s <= 0.0f || s >= 1.0f ? 0.0f : dy * (1.0f / 6.0f);
        // Far out the second factor is 0; the clamps keep it from being 0 * infinity.
        case ActivationKind::silu: {
            const float t = sigmoid(s);
            return dy * (t * (1.0f + clamp(s, -100.0f, 100.0f) * (1.0f - t)));
        }
        case ActivationKind::gelu: {
            const float z = clamp(s, -20.0f, 20.0f);
            return dy * (0.5f * (1.0f + erff(z * kInvSqrt2)) + z * (kInvSqrt2Pi * expf(-0.5f * z * z)));
        }
        case ActivationKind::gelu_tanh: {
            const float z = clamp(s, -20.0f, 20.0f);
            const float t = tanhf(kSqrt2OverPi * (z + kCubic * z * z * z));
            const float inner = kSqrt2OverPi * (1.0f + 3.0f * kCubic * z * z);
            return dy * (0.5f * (1.0f + t) + 0.5f * z * ((1.0f - t) * (1.0f + t)) * inner);
        }
        case ActivationKind::hard_swish:
            return dy * (s <= -3.0f ? 0.0f : s >= 3.0f ? 1.0f : s * (1.0f / 3.0f) + 0.5f);
        case ActivationKind::exponential:
            return dy * s;
        case ActivationKind::log:
            return dy / s;
        case ActivationKind::sqrt:
            return 0.5f * dy / s;
        case ActivationKind::abs:
            return s < 0.0f ? -dy : s > 0.0f ? dy : 0.0f;
        case ActivationKind::reciprocal:
        case ActivationKind::reciprocal_no_nan:
            return -dy * s * s;
        case ActivationKind::erf: {
            const float z = clamp(s, -20.0f, 20.0f);
            return dy * (kTwoOverSqrtPi * expf(-z * z));
        }
        case ActivationKind::rectifier:
            break;
    }
    return s >= a.ceiling ? 0.0f : s <= a.threshold ? dy * a.alpha : dy;
}

struct Forward {
    template <class I>
    static STRIATE_DEVICE void at(const ActivationArgs& a, I i) {
        const Place<I> p = place_of(a.view_x, i);
        a.y[offset_of(a.view_y, p)] = value(a, a.x[offset_of(a.view_x, p)]);
    }
};
struct FlatForward {
    template <class I>
    static STRIATE_DEVICE void at(const ActivationArgs& a, I i) {
        a.y[i] = value(a, a.x[i]);
    }
};

struct Backward {
    template <class I>
    static STRIATE_DEVICE void at(const ActivationGradArgs& a, I i) {
        const Place<I> p = place_of(a.view_dy, i);
        const float dy = a.dy[offset_of(a.view_dy, p)];
        const float s = a.kind == ActivationKind::linear ? 0.0f
                        : reads_x(a.kind)                ? a.x[offset_of(a.view_x, p)]
                                                         : a.y[offset_of(a.view_y, p)];
        a.dx[offset_of(a.view_dx, p)] = gradient(a, dy, s);
    }
};

}  // namespace

void activation_forward(const ActivationArgs& a, cudaStream_t stream) {
    if (flat(a.view_x) && flat(a.view_y)) return for_each<FlatForward>(a, elements(a.view_x), stream);
    for_each<Forward>(a, elements(a.view_x), stream);
}

void activation_backward(const ActivationGradArgs& a, cudaStream_t stream) {
    for_each<Backward>(a, elements(a.view_dy), stream);
}

}  // namespace striate::cuda
