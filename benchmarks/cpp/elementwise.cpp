#include "bench.hpp"

namespace bench {

using namespace striate::kernels;

namespace {

constexpr Size kWide = {32, 32, 32, 64}, kSmall = {32, 8, 8, 64};
constexpr Halo kRing = {1, 1, 1, 1};

// What views of one shape are measured at: x and y in one run, small enough for the cache, and y with room around it.
struct Pair {
    Size size;
    Halo halo;
    const char* note;
};
constexpr Pair kPairs[] = {{kWide, {}, ""}, {kSmall, {}, ""}, {kWide, kRing, " into a halo"}};

struct Combination {
    BinaryKind kind;
    const char* name;
    Size a, b;
};
constexpr Combination kCombinations[] = {
    {BinaryKind::add, "add", kWide, kWide},
    {BinaryKind::add, "add", kSmall, kSmall},
    {BinaryKind::subtract, "subtract", kWide, kWide},
    {BinaryKind::multiply, "multiply", kWide, kWide},
    {BinaryKind::add_relu, "add and rectify", kWide, kWide},
    {BinaryKind::add_scaled, "add and scale", kWide, kWide},
    {BinaryKind::maximum, "maximum", kWide, kWide},
    {BinaryKind::multiply, "multiply", kWide, {32, 1, 1, 64}},
    {BinaryKind::multiply, "multiply", kWide, {32, 32, 32, 1}},
};

}  // namespace

Cases cases_binary(Kernel<BinaryArgs> kernel) {
    Cases cases;
    for (const Combination& c : kCombinations)
        cases.push_back({std::string(c.name) + " " + c.a.text() + " and " + c.b.text(), 0,
                         kFloat * (2 * c.a.elements() + c.b.elements()), [=](Memory& memory) -> Work {
                             const Map a = memory.map(c.a), b = memory.map(c.b), y = memory.map(c.a);
                             return {call(kernel, {c.kind, a.view, b.view, y.view, a.data, b.data, y.data})};
                         }});
    return cases;
}

Cases cases_extreme_backward(Kernel<ExtremeGradArgs> kernel) {
    Cases cases;
    for (const Size& size : {kWide, kSmall})
        cases.push_back({size.text(), 0, 5 * kFloat * size.elements(), [=](Memory& memory) -> Work {
                             const Map x = memory.map(size), y = memory.map(size), dy = memory.map(size);
                             const Map dx = memory.map(size), rest = memory.map(size);
                             return {call(kernel, {x.view, y.view, dy.view, dx.view, rest.view, x.data, y.data, dy.data,
                                                   dx.data, rest.data})};
                         }});
    return cases;
}

Cases cases_reduce_broadcast(Kernel<ReduceBroadcastArgs> kernel) {
    Cases cases;
    for (const Size& out : {Size{32, 1, 1, 64}, Size{32, 32, 32, 1}, Size{1, 32, 32, 64}})
        cases.push_back({kWide.text() + " to " + out.text(), 0, kFloat * (2 * kWide.elements() + out.elements()),
                         [=](Memory& memory) -> Work {
                             const Map dy = memory.map(kWide), other = memory.map(kWide), sum = memory.map(out);
                             return {
                                 call(kernel, {dy.view, other.view, sum.view, dy.data, other.data, 1.0f, sum.data})};
                         }});
    return cases;
}

Cases cases_scale_shift(Kernel<ScaleShiftArgs> kernel) {
    Cases cases;
    for (const Pair& p : kPairs)
        cases.push_back({p.size.text() + p.note, 0, 2 * kFloat * p.size.elements(), [=](Memory& memory) -> Work {
                             const Map x = memory.map(p.size), y = memory.map(p.size, p.halo);
                             return {call(kernel, {x.view, y.view, x.data, y.data, 0.5f, 0.1f})};
                         }});
    return cases;
}

Cases cases_accumulate(Kernel<AccumulateArgs> kernel) {
    Cases cases;
    for (const Pair& p : kPairs)
        cases.push_back({p.size.text() + p.note, 0, 3 * kFloat * p.size.elements(), [=](Memory& memory) -> Work {
                             const Map x = memory.map(p.size), y = memory.map(p.size, p.halo);
                             return {call(kernel, {x.view, y.view, x.data, y.data, 0.5f})};
                         }});
    return cases;
}

Cases cases_copy(Kernel<CopyArgs> kernel) {
    Cases cases;
    for (const Pair& p : kPairs)
        cases.push_back({p.size.text() + p.note, 0, 2 * kFloat * p.size.elements(), [=](Memory& memory) -> Work {
                             const Map x = memory.map(p.size), y = memory.map(p.size, p.halo);
                             return {call(kernel, {x.view, y.view, x.data, y.data})};
                         }});
    return cases;
}

Cases cases_fill(Kernel<FillArgs> kernel) {
    Cases cases;
    for (const Pair& p : kPairs)
        cases.push_back({p.size.text() + p.note, 0, kFloat * p.size.elements(), [=](Memory& memory) -> Work {
                             const Map y = memory.map(p.size, p.halo);
                             return {call(kernel, {y.view, y.data, 0.5f})};
                         }});
    return cases;
}

Cases cases_zero_halo(Kernel<ZeroHaloArgs> kernel) {
    Cases cases;
    for (const Size& size : {kWide, Size{16, 128, 128, 16}}) {
        const int64_t ring = (size.h + 2) * (size.w + 2) - size.h * size.w;
        cases.push_back({size.text() + " ring of 1", 0, kFloat * (size.n * size.c * ring), [=](Memory& memory) -> Work {
                             const Map y = memory.map(size, kRing);
                             return {call(kernel, {y.view, y.data, 1, 1, 1, 1})};
                         }});
    }
    return cases;
}

Cases cases_channel_affine(Kernel<ChannelAffineArgs> kernel) {
    struct Variant {
        Size size;
        Halo halo;
        ActivationKind activation;
        bool by_image;
        const char* note;
    };
    Cases cases;
    for (const Variant& v : {Variant{kWide, {}, ActivationKind::linear, false, ""},
                             Variant{kWide, {}, ActivationKind::relu, false, " relu"},
                             Variant{kWide, {}, ActivationKind::silu, false, " silu"},
                             Variant{kWide, kRing, ActivationKind::relu, false, " relu into a halo"},
                             Variant{{16, 128, 128, 16}, {}, ActivationKind::relu, false, " relu"},
                             Variant{{32, 8, 8, 256}, {}, ActivationKind::relu, false, " relu"},
                             Variant{kWide, {}, ActivationKind::linear, true, " by image"}})
        cases.push_back({v.size.text() + v.note, 0, 2 * kFloat * v.size.elements(), [=](Memory& memory) -> Work {
                             const int64_t c = v.size.c, sets = v.by_image ? v.size.n : 1;
                             const Map x = memory.map(v.size), y = memory.map(v.size, v.halo);
                             return {call(kernel, {x.view, y.view, x.data, y.data, memory.floats(sets * c),
                                                   memory.floats(sets * c, 0.5f, 2), memory.floats(c),
                                                   v.by_image ? c : 0, v.activation})};
                         }});
    return cases;
}

Cases cases_channel_affine_backward(Kernel<ChannelAffineGradArgs> kernel) {
    struct Variant {
        Size size;
        ActivationKind activation;
        bool batch_statistics;
        const char* note;
    };
    Cases cases;
    for (const Variant& v :
         {Variant{kWide, ActivationKind::linear, true, ""}, Variant{kWide, ActivationKind::relu, true, " relu"},
          Variant{kWide, ActivationKind::silu, true, " silu"},
          Variant{{16, 128, 128, 16}, ActivationKind::relu, true, " relu"},
          Variant{{32, 8, 8, 256}, ActivationKind::relu, true, " relu"},
          Variant{kWide, ActivationKind::linear, false, " fixed statistics"}}) {
        const double arrays = 2 + v.batch_statistics;
        cases.push_back({v.size.text() + v.note, 0, arrays * kFloat * v.size.elements(), [=](Memory& memory) -> Work {
                             const Map x = memory.map(v.size), dy = memory.map(v.size), dx = memory.map(v.size);
                             const int64_t c = v.size.c;
                             const bool full = v.batch_statistics;
                             return {call(kernel, {x.view, dy.view, dx.view, full ? x.data : nullptr, dy.data, dx.data,
                                                   full ? memory.floats(c) : nullptr, memory.floats(c, 0.5f, 2),
                                                   v.activation != ActivationKind::linear ? memory.floats(c) : nullptr,
                                                   full ? memory.floats(c) : nullptr, full ? memory.floats(c) : nullptr,
                                                   0, v.activation})};
                         }});
    }
    return cases;
}

Cases cases_merge_sums(Kernel<MergeSumsArgs> kernel) {
    Cases cases;
    for (const int64_t size : {64, 512, 65536}) {
        const int64_t pieces = size > 4096 ? 16 : 64;
        cases.push_back({std::to_string(pieces) + " pieces of " + std::to_string(size), 0,
                         kDouble * (pieces * size) + kFloat * size, [=](Memory& memory) -> Work {
                             return {
                                 call(kernel, {pieces, size, memory.doubles(pieces * size), memory.floats(size), 1.0})};
                         }});
    }
    return cases;
}

}  // namespace bench
