#include "kernels/activate.hpp"
#include "kernels/activations.hpp"
#include "kernels/lanes.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

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

template <class F>
STRIATE_INLINE void map_rows(float* y, int64_t rows, int64_t step, int64_t count, F f) {
    for (int64_t r = 0; r < rows; ++r, y += step)
        each_vector(count, [&](int64_t i, auto lanes) { lanes.store(y + i, f(lanes.load(y + i))); });
}

}  // namespace

void activate(const Epilogue& epilogue, float* y, int64_t rows, int64_t step, int64_t count) {
    const float alpha = epilogue.alpha;
    switch (epilogue.kind) {
        case ActivationKind::leaky_relu:
            return map_rows(y, rows, step, count, [=](Vec x) { return leaky_relu(x, alpha); });
        case ActivationKind::sigmoid:
            return map_rows(y, rows, step, count, [](Vec x) { return sigmoid(x); });
        case ActivationKind::tanh:
            return map_rows(y, rows, step, count, [](Vec x) { return tanh(x); });
        case ActivationKind::silu:
            return map_rows(y, rows, step, count, [](Vec x) { return silu(x); });
        case ActivationKind::gelu:
            return map_rows(y, rows, step, count, [](Vec x) { return gelu(x); });
        case ActivationKind::gelu_tanh:
            return map_rows(y, rows, step, count, [](Vec x) { return gelu_tanh(x); });
        case ActivationKind::hard_sigmoid:
            return map_rows(y, rows, step, count, [](Vec x) { return hard_sigmoid(x); });
        case ActivationKind::hard_swish:
            return map_rows(y, rows, step, count, [](Vec x) { return hard_swish(x); });
        default:  // fits_epilogue() names those above, and relu and relu6
            return;
    }
}

void activation_forward(const ActivationArgs& a, int64_t begin, int64_t end) {
    const float alpha = a.alpha, threshold = a.threshold, ceiling = a.ceiling;
    switch (a.kind) {
        case ActivationKind::linear:
            return map(a, begin, end, [](Vec x) { return x; });
        case ActivationKind::relu:
            return map(a, begin, end, [](Vec x) { return max(Vec{}, x); });
        case ActivationKind::relu6:
            return map(a, begin, end, [](Vec x) { return relu6(x); });
        case ActivationKind::leaky_relu:
            return map(a, begin, end, [=](Vec x) { return leaky_relu(x, alpha); });
        case ActivationKind::elu:
            return map(a, begin, end, [=](Vec x) { return select(x > 0.0f, x, alpha * expm1(x)); });
        case ActivationKind::sigmoid:
            return map(a, begin, end, [](Vec x) { return sigmoid(x); });
        case ActivationKind::tanh:
            return map(a, begin, end, [](Vec x) { return tanh(x); });
        case ActivationKind::softplus:
            return map(a, begin, end, [](Vec x) { return softplus(x); });
        case ActivationKind::silu:
            return map(a, begin, end, [](Vec x) { return silu(x); });
        case ActivationKind::gelu:
            return map(a, begin, end, [](Vec x) { return gelu(x); });
        case ActivationKind::gelu_tanh:
            return map(a, begin, end, [](Vec x) { return gelu_tanh(x); });
        case ActivationKind::hard_sigmoid:
            return map(a, begin, end, [](Vec x) { return hard_sigmoid(x); });
        case ActivationKind::hard_swish:
            return map(a, begin, end, [](Vec x) { return hard_swish(x); });
        case ActivationKind::rectifier:
            return map(a, begin, end, [=](Vec x) {
                const Vec y = select(x < threshold, alpha * (x - threshold), x);
                return select(x >= ceiling, broadcast(ceiling), y);
            });
        case ActivationKind::exponential:
            return map(a, begin, end, [](Vec x) { return exp(x); });
        case ActivationKind::log:
            return map(a, begin, end, [](Vec x) { return log(x); });
        case ActivationKind::sqrt:
            return map(a, begin, end, [](Vec x) { return sqrt(x); });
        case ActivationKind::abs:
            return map(a, begin, end, [](Vec x) { return abs(x); });
        case ActivationKind::reciprocal:
            return map(a, begin, end, [](Vec x) { return 1.0f / x; });
        case ActivationKind::reciprocal_no_nan:
            return map(a, begin, end, [](Vec x) { return select(x == 0.0f, Vec{}, 1.0f / x); });
        case ActivationKind::erf:
            return map(a, begin, end, [](Vec x) { return erf(x); });
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
            return map_gradient(a, false, begin, end, [](Vec dy, Vec y) { return relu_gradient(dy, y); });
        case ActivationKind::relu6:
            return map_gradient(a, false, begin, end, [](Vec dy, Vec y) { return relu6_gradient(dy, y); });
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
        case ActivationKind::silu:
            return map_gradient(a, true, begin, end, [](Vec dy, Vec x) { return silu_gradient(dy, x); });
        // Far out the second factor is 0; the clamps keep it from being 0 * infinity.
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
            return map_gradient(a, true, begin, end, [](Vec dy, Vec x) { return hard_swish_gradient(dy, x); });
        case ActivationKind::rectifier:
            return map_gradient(a, true, begin, end, [=](Vec dy, Vec x) {
                return select(x >= ceiling, Vec{}, select(x <= threshold, dy * alpha, dy));
            });
        case ActivationKind::exponential:
            return map_gradient(a, false, begin, end, [](Vec dy, Vec y) { return dy * y; });
        case ActivationKind::log:
            return map_gradient(a, true, begin, end, [](Vec dy, Vec x) { return dy / x; });
        case ActivationKind::sqrt:
            return map_gradient(a, false, begin, end, [](Vec dy, Vec y) { return 0.5f * dy / y; });
        case ActivationKind::abs:
            return map_gradient(a, true, begin, end,
                                [](Vec dy, Vec x) { return select(x < 0.0f, -dy, select(x > 0.0f, dy, Vec{})); });
        case ActivationKind::reciprocal:
        case ActivationKind::reciprocal_no_nan:
            return map_gradient(a, false, begin, end, [](Vec dy, Vec y) { return -dy * y * y; });
        case ActivationKind::erf:
            return map_gradient(a, true, begin, end, [](Vec dy, Vec x) {
                const Vec z = clamp(x, -20.0f, 20.0f);
                return dy * (kTwoOverSqrtPi * exp(-z * z));
            });
    }
}

}  // namespace striate::kernels::STRIATE_ISA
