#include "bench.hpp"

namespace bench {

using namespace striate::kernels;

namespace {

constexpr Size kWide = {32, 32, 32, 64}, kSmall = {32, 8, 8, 64};

struct Kind {
    ActivationKind kind;
    const char* name;
    bool from_x = false;  // whether the gradient reads x
};
constexpr Kind kKinds[] = {
    {ActivationKind::linear, "linear"},
    {ActivationKind::relu, "relu"},
    {ActivationKind::relu6, "relu6"},
    {ActivationKind::leaky_relu, "leaky_relu"},
    {ActivationKind::elu, "elu"},
    {ActivationKind::sigmoid, "sigmoid"},
    {ActivationKind::tanh, "tanh"},
    {ActivationKind::softplus, "softplus"},
    {ActivationKind::silu, "silu", true},
    {ActivationKind::gelu, "gelu", true},
    {ActivationKind::hard_sigmoid, "hard_sigmoid"},
    {ActivationKind::hard_swish, "hard_swish", true},
    {ActivationKind::gelu_tanh, "gelu_tanh", true},
    {ActivationKind::rectifier, "rectifier", true},
    {ActivationKind::exponential, "exponential"},
    {ActivationKind::log, "log", true},
    {ActivationKind::sqrt, "sqrt"},
    {ActivationKind::abs, "abs", true},
    {ActivationKind::reciprocal, "reciprocal"},
    {ActivationKind::reciprocal_no_nan, "reciprocal_no_nan"},
    {ActivationKind::erf, "erf", true},
};
constexpr float kAlpha = 0.1f, kThreshold = 0.1f, kCeiling = 2;

Case forward(Kernel<ActivationArgs> kernel, const Kind& kind, const Size& size, const Halo& halo, const char* note) {
    return {std::string(kind.name) + " " + size.text() + note, 0, 2 * kFloat * size.elements(),
            [=](Memory& memory) -> Work {
                const Map x = memory.map(size, {}, -3, 3), y = memory.map(size, halo);
                return {call(kernel, {kind.kind, kAlpha, x.view, y.view, x.data, y.data, kThreshold, kCeiling})};
            }};
}

Case backward(Kernel<ActivationGradArgs> kernel, const Kind& kind, const Size& size) {
    const double arrays = kind.kind == ActivationKind::linear ? 2 : 3;
    return {std::string(kind.name) + " " + size.text(), 0, arrays * kFloat * size.elements(),
            [=](Memory& memory) -> Work {
                // Every kind has outputs between 0 and 1.
                const Map source = kind.from_x ? memory.map(size, {}, -3, 3) : memory.map(size, {}, 0, 1);
                const Map dy = memory.map(size), dx = memory.map(size);
                const float *x = kind.from_x ? source.data : nullptr, *y = kind.from_x ? nullptr : source.data;
                return {call(kernel, {kind.kind, kAlpha, source.view, source.view, dy.view, dx.view, x, y, dy.data,
                                      dx.data, kThreshold, kCeiling})};
            }};
}

// Slopes for every channel, or for every place of the map.
struct Slopes {
    const char* name;
    bool shared;
    int64_t row(const Size& s) const { return shared ? 0 : s.w * s.c; }
    int64_t pixel(const Size& s) const { return shared ? 0 : s.c; }
    int64_t count(const Size& s) const { return shared ? s.c : s.h * s.w * s.c; }
};
constexpr Slopes kSlopes[] = {{" slope a channel", true}, {" slope a place", false}};

}  // namespace

Cases cases_activation_forward(Kernel<ActivationArgs> kernel) {
    Cases cases;
    for (const Kind& kind : kKinds) cases.push_back(forward(kernel, kind, kWide, {}, ""));
    cases.push_back(forward(kernel, kKinds[1], kWide, {1, 1, 1, 1}, " into a halo"));
    cases.push_back(forward(kernel, kKinds[1], kSmall, {}, ""));
    cases.push_back(forward(kernel, kKinds[5], {64, 1, 1, 10}, {}, ""));
    return cases;
}

Cases cases_activation_backward(Kernel<ActivationGradArgs> kernel) {
    Cases cases;
    for (const Kind& kind : kKinds) cases.push_back(backward(kernel, kind, kWide));
    cases.push_back(backward(kernel, kKinds[1], kSmall));
    return cases;
}

Cases cases_prelu_forward(Kernel<PReluArgs> kernel) {
    Cases cases;
    for (const Slopes& slopes : kSlopes)
        cases.push_back({kWide.text() + slopes.name, 0, kFloat * (2 * kWide.elements() + slopes.count(kWide)),
                         [=](Memory& memory) -> Work {
                             const Map x = memory.map(kWide), y = memory.map(kWide);
                             const float* alpha = memory.floats(slopes.count(kWide), 0, 1);
                             return {call(kernel, {x.view, y.view, x.data, alpha, slopes.row(kWide),
                                                   slopes.pixel(kWide), 1, y.data})};
                         }});
    return cases;
}

Cases cases_prelu_backward(Kernel<PReluGradArgs> kernel) {
    Cases cases;
    for (const Slopes& slopes : kSlopes) {
        const int64_t count = slopes.count(kWide), pieces = sum_pieces(kWide.n, kWide.elements());
        cases.push_back({kWide.text() + slopes.name, 0,
                         kFloat * (3 * kWide.elements() + count) + kDouble * (pieces * count),
                         [=](Memory& memory) -> Work {
                             const Map x = memory.map(kWide), dy = memory.map(kWide), dx = memory.map(kWide);
                             const float* alpha = memory.floats(count, 0, 1);
                             return {call(kernel, {x.view, dy.view, dx.view, x.data, alpha, dy.data, slopes.row(kWide),
                                                   slopes.pixel(kWide), 1, count, dx.data,
                                                   memory.doubles(pieces * count), pieces})};
                         }});
    }
    return cases;
}

// Ten classes, a thousand, and a segmentation's few for every pixel.
static constexpr Size kSoftmax[] = {{64, 1, 1, 10}, {64, 1, 1, 1000}, {8, 128, 128, 21}};

Cases cases_softmax(Kernel<SoftmaxArgs> kernel) {
    Cases cases;
    for (const Size& size : kSoftmax)
        cases.push_back({size.text(), 0, 2 * kFloat * size.elements(), [=](Memory& memory) -> Work {
                             const Map x = memory.map(size, {}, -5, 5), y = memory.map(size);
                             return {call(kernel, {x.view, y.view, x.data, y.data})};
                         }});
    return cases;
}

Cases cases_softmax_backward(Kernel<SoftmaxGradArgs> kernel) {
    Cases cases;
    for (const Size& size : kSoftmax)
        cases.push_back({size.text(), 0, 3 * kFloat * size.elements(), [=](Memory& memory) -> Work {
                             const Map y = memory.map(size, {}, 0, 1), dy = memory.map(size), dx = memory.map(size);
                             return {call(kernel, {y.view, dy.view, dx.view, y.data, dy.data, dx.data})};
                         }});
    return cases;
}

}  // namespace bench
