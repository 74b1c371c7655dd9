#include "kernels/args_elementwise.hpp"
#include "kernels/simd_math.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

constexpr float kInvSqrt2 = 0.707106781f, kInvSqrt2Pi = 0.398942280f, kSqrt2OverPi = 0.797884561f, kCubic = 0.044715f;

STRIATE_INLINE Vec clamp(Vec v, float low, float high) {
    return min(broadcast(high), max(broadcast(low), v));
}
STRIATE_INLINE Vec hard_sigmoid(Vec x) {
    return clamp(x + 3.0f, 0.0f, 6.0f) * (1.0f / 6.0f);
}

template <class F>
STRIATE_INLINE void map(const ActivationArgs& a, int64_t begin, int64_t end, F f) {
    const View views[] = {a.view_x, a.view_y};
    each_run(views, begin, end, [&](const int64_t* offsets, int64_t, int64_t count) {
        const float* x = a.x + offsets[0];
        float* y = a.y + offsets[1];
        each_vector(count, [&](int64_t i, auto lanes) { lanes.store(y + i, f(lanes.load(x + i))); });
    });
}

// dx = f(dy, s), where s is x or y
template <class F>
STRIATE_INLINE void map_gradient(const ActivationGradArgs& a, bool from_x, int64_t begin, int64_t end, F f) {
    const View views[] = {a.view_dy, a.view_dx, from_x ? a.view_x : a.view_y};
    const float* source = from_x ? a.x : a.y;
    each_run(views, begin, end, [&](const int64_t* offsets, int64_t, int64_t count) {
        const float *dy = a.dy + offsets[0], *s = source + offsets[2];
        float* dx = a.dx + offsets[1];
        each_vector(count,
                    [&](int64_t i, auto lanes) { lanes.store(dx + i, f(lanes.load(dy + i), lanes.load(s + i))); });
    });
}

}  // namespace

void activation_forward(const ActivationArgs& a, int64_t begin, int64_t end) {
    const float alpha = a.alpha, threshold = a.threshold, ceiling = a.ceiling;
    switch (a.kind) {
        case ActivationKind::linear:
            return map(a, begin, end, [](Vec x) { return x; });
        case ActivationKind::relu:
            return map(a, begin, end, [](Vec x) { return max(Vec{}, x); });
        case ActivationKind::relu6:
            return map(a, begin, end, [](Vec x) { return clamp(x, 0.0f, 6.0f); });
        case ActivationKind::leaky_relu:
            return map(a, begin, end, [=](Vec x) { return select(x < 0.0f, x * alpha, x); });
        case ActivationKind::elu:
            return map(a, begin, end, [=](Vec x) { return select(x > 0.0f, x, alpha * expm1(x)); });
        case ActivationKind::sigmoid:
            return map(a, begin, end, [](Vec x) { return sigmoid(x); });
        case ActivationKind::tanh:
            return map(a, begin, end, [](Vec x) { return tanh(x); });
        case ActivationKind::softplus:
            return map(a, begin, end, [](Vec x) { return softplus(x); });
        case ActivationKind::silu:
            return map(a, begin, end, [](Vec x) { return x * sigmoid(x); });
        case ActivationKind::gelu:
            return map(a, begin, end, [](Vec x) { return 0.5f * x * (1.0f + erf(x * kInvSqrt2)); });
        case ActivationKind::gelu_tanh:
            return map(a, begin, end,
                       [](Vec x) { return 0.5f * x * (1.0f + tanh(kSqrt2OverPi * (x + kCubic * x * x * x))); });
        case ActivationKind::hard_sigmoid:
            return map(a, begin, end, [](Vec x) { return hard_sigmoid(x); });
        case ActivationKind::hard_swish:
            return map(a, begin, end, [](Vec x) { return x * hard_sigmoid(x); });
        case ActivationKind::rectifier:
            return map(a, begin, end, [=](Vec x) {
                const Vec y = select(x < threshold, alpha * (x - threshold), x);
                return select(x >= ceiling, broadcast(ceiling), y);
            });
    }
}

void activation_backward(const ActivationGradArgs& a, int64_t begin, int64_t end) {
    const float alpha = a.alpha, threshold = a.threshold, ceiling = a.ceiling;
    switch (a.kind) {
        case ActivationKind::linear: {
            ActivationGradArgs same = a;
            same.y = a.dy, same.view_y = a.view_dy;
            return map_gradient(same, false, begin, end, [](Vec dy, Vec) { return dy; });
        }
        case ActivationKind::relu:
            return map_gradient(a, false, begin, end, [](Vec dy, Vec y) { return select(y <= 0.0f, Vec{}, dy); });
        case ActivationKind::relu6:
            return map_gradient(a, false, begin, end,
                                [](Vec dy, Vec y) { return select((y <= 0.0f) | (y >= 6.0f), Vec{}, dy); });
        case ActivationKind::leaky_relu:
            return map_gradient(a, false, begin, end, [=](Vec dy, Vec y) { return select(y <= 0.0f, dy * alpha, dy); });
        case ActivationKind::elu:
            return map_gradient(a, false, begin, end,
                                [=](Vec dy, Vec y) { return select(y > 0.0f, dy, dy * (y + alpha)); });
        case ActivationKind::sigmoid:
            return map_gradient(a, false, begin, end, [](Vec dy, Vec y) { return dy * y * (1.0f - y); });
        case ActivationKind::tanh:
            return map_gradient(a, false, begin, end, [](Vec dy, Vec y) { return dy * ((1.0f - y) * (1.0f + y)); });
        case ActivationKind::softplus:
            return map_gradient(a, false, begin, end, [](Vec dy, Vec y) { return -dy * expm1(-y); });
        case ActivationKind::hard_sigmoid:
            return map_gradient(a, false, begin, end, [](Vec dy, Vec y) {
                return select((y <= 0.0f) | (y >= 1.0f), Vec{}, dy * (1.0f / 6.0f));
            });
        // Far out the second factor is 0; the clamps keep it from being 0 * infinity.
        case ActivationKind::silu:
            return map_gradient(a, true, begin, end, [](Vec dy, Vec x) {
                const Vec s = sigmoid(x);
                return dy * (s * (1.0f + clamp(x, -100.0f, 100.0f) * (1.0f - s)));
            });
        case ActivationKind::gelu:
            return map_gradient(a, true, begin, end, [](Vec dy, Vec x) {
                const Vec z = clamp(x, -20.0f, 20.0f);
                return dy * (0.5f * (1.0f + erf(z * kInvSqrt2)) + z * (kInvSqrt2Pi * exp(-0.5f * z * z)));
            });
        case ActivationKind::gelu_tanh:
            return map_gradient(a, true, begin, end, [](Vec dy, Vec x) {
                const Vec z = clamp(x, -20.0f, 20.0f);
                const Vec t = tanh(kSqrt2OverPi * (z + kCubic * z * z * z));
                const Vec inner = kSqrt2OverPi * (1.0f + 3.0f * kCubic * z * z);
                return dy * (0.5f * (1.0f + t) + 0.5f * z * ((1.0f - t) * (1.0f + t)) * inner);
            });
        case ActivationKind::hard_swish:
            return map_gradient(a, true, begin, end, [](Vec dy, Vec x) {
                const Vec middle = x * (1.0f / 3.0f) + 0.5f;
                return dy * select(x <= -3.0f, Vec{}, select(x >= 3.0f, broadcast(1.0f), middle));
            });
        case ActivationKind::rectifier:
            return map_gradient(a, true, begin, end, [=](Vec dy, Vec x) {
                return select(x >= ceiling, Vec{}, select(x <= threshold, dy * alpha, dy));
            });
    }
}

}  // namespace striate::kernels::STRIATE_ISA
