// Convolution and dense kernels on every instruction set that runs here, against a definition in double precision.
// Inputs are small integers, so that every sum is exact and must be met to the bit.
#include <array>

#include "convolution_definition.hpp"

using namespace striate;
using namespace striate::convolution;
using check::define;
using check::Definition;
using check::integers;
using check::Map;
using check::map_of;
using check::problem;
using check::Random;
using check::text;
using kernels::Table;

namespace {

void compare(const Map& got, const std::vector<double>& want, const std::string& context) {
    int64_t i = 0;
    while (i < got.size() && got.flat(i) == want[i]) ++i;
    CHECK_MESSAGE(i == got.size(), "element ", i, " is ", got.flat(i), ", want ", want[i], ": ", context);
}
void compare(const std::vector<float>& got, const std::vector<double>& want, const std::string& context) {
    size_t i = 0;
    while (i < want.size() && got[i] == want[i]) ++i;
    CHECK_MESSAGE(i == want.size(), "element ", i, " is ", got[i], ", want ", want[i], ": ", context);
}

// A buffer with room for the vectors of the kernels to be aligned to nothing.
struct Buffer {
    explicit Buffer(int64_t floats) : memory(floats + 3, -55.0f) {}
    float* data() { return memory.data() + 3; }
    std::vector<float> memory;
};

// Packs the weights and points the call at them.
void bind_weights(const Table& table, Lowered& l, const float* kernel, Buffer& packed) {
    if (l.direct) {
        l.conv.weights = kernel;
        return;
    }
    l.pack.src = kernel;
    l.pack.dst = packed.data();
    l.conv.weights = packed.data();
    check::run_all(table.pack_weights, l.pack);
}

void check_forward(const Table& table, const Problem& p, int64_t n, const Map& x, const std::vector<float>& w,
                   std::vector<double> want, Random& random, const std::string& context) {
    Map y(n, p.out_h, p.out_w, p.out_c, random.integer(0, 1), random.integer(0, 1) * 3, -77);
    Lowered l = forward(p, x.view, y.view, check::machine_of(table));
    Buffer packed(l.packed_floats);
    bind_weights(table, l, w.data(), packed);
    const std::vector<float> bias = integers(p.out_c, random);
    l.conv.x = x.data();
    l.conv.y = y.data();
    l.conv.bias = random.integer(0, 1) ? bias.data() : nullptr;
    l.conv.epilogue = any_epilogue(random);
    check::run_twice(table.conv, l.conv, {&y}, random, context);
    for (size_t i = 0; i < want.size(); ++i) {
        if (l.conv.bias) want[i] += bias[i % p.out_c];
        want[i] = check::applied(l.conv.epilogue, want[i]);
    }
    compare(y, want, "forward " + context);
    if (l.conv.epilogue.kind != kernels::ActivationKind::linear) return;
    l.conv.accumulate = true;
    check::run_all(table.conv, l.conv);
    for (double& v : want) v *= 2;
    compare(y, want, "accumulate " + context);
}

void check_to_input(const Table& table, const Problem& p, int64_t n, const Map& dy, const std::vector<float>& w,
                    const std::vector<double>& want, Random& random, const std::string& context) {
    Map dx(n, p.in_h, p.in_w, p.in_c, random.integer(0, 1), random.integer(0, 1) * 3, -77);
    dx.fill(4321);
    for (Lowered& l : to_input(p, dy.view, dx.view, check::machine_of(table))) {
        Buffer packed(l.packed_floats);
        bind_weights(table, l, w.data(), packed);
        l.conv.x = dy.data();
        l.conv.y = dx.data();
        check::run_in_pieces(table.conv, l.conv, kernels::units(l.conv), random);
    }
    CHECK(dx.intact());
    compare(dx, want, "to input " + context);
}

void check_to_weights(const Table& table, const Problem& p, const Map& x, const Map& dy,
                      const std::vector<double>& want, Random& random, const std::string& context) {
    LoweredWeights l = to_weights(p, x.view, dy.view, check::machine_of(table));
    std::vector<float> first;
    for (int round = 0; round < 2; ++round) {
        Buffer slots(l.slot_floats), scratch(l.scratch_floats);
        std::vector<float> dw(want.size(), -66);
        l.weights.x = x.data();
        l.weights.dy = dy.data();
        l.weights.scratch = scratch.data();
        l.weights.slots = l.direct ? dw.data() : slots.data();
        if (round) {
            check::run_in_pieces(table.conv_weights, l.weights, kernels::units(l.weights), random);
        } else {
            check::run_all(table.conv_weights, l.weights);
        }
        if (!l.direct) {
            l.sum.slots = slots.data();
            l.sum.out = dw.data();
            check::run_in_pieces(table.sum_slots, l.sum, kernels::units(l.sum), random);
        }
        compare(dw, want, "to weights " + context);
    }
}

void check_all(const Problem& p, int64_t n, Random& random) {
    if (p.out_h < 1 || p.out_w < 1) return;
    const Map x = map_of(n, p.in_h, p.in_w, p.in_c, input_halo(p), random.integer(0, 2) == 0 ? 2 : 0, random);
    const Map dy = map_of(n, p.out_h, p.out_w, p.out_c, output_halo(p), random.integer(0, 2) == 0 ? 5 : 0, random);
    const std::vector<float> w = integers(p.kernel.h * p.kernel.w * p.in_c / p.groups * p.out_c, random);
    const Definition d = define(p, n, x, dy, w);
    for (const Table* table : check::tables()) {
        const std::string context = text(p, n, table->isa);
        check_forward(*table, p, n, x, w, d.y, random, context);
        check_to_input(*table, p, n, dy, w, d.dx, random, context);
        check_to_weights(*table, p, x, dy, d.dw, random, context);
        if (prefers_turned(p, dy.view, dy.view)) {
            Map dx(n, p.in_h, p.in_w, p.in_c, 0, random.integer(0, 1), -77);
            Lowered l = to_input_turned(p, dy.view, dx.view, check::machine_of(*table));
            Buffer packed(l.packed_floats);
            bind_weights(*table, l, dy.data(), packed);
            l.conv.x = w.data();
            l.conv.y = dx.data();
            check::run_twice(table->conv, l.conv, {&dx}, random, context);
            compare(dx, d.dx, "to input turned " + context);
        }
    }
}

// The same for depthwise convolution, whose definition is a grouped one.
void check_depthwise(Problem p, int64_t n, Random& random) {
    if (p.out_h < 1 || p.out_w < 1) return;
    const Map x = map_of(n, p.in_h, p.in_w, p.in_c, input_halo(p), random.integer(0, 1), random);
    const Map dy = map_of(n, p.out_h, p.out_w, p.out_c, output_halo(p), random.integer(0, 1), random);
    const std::vector<float> w = integers(p.kernel.h * p.kernel.w * p.out_c, random);
    Problem grouped = p;
    grouped.groups = p.in_c;
    const Definition d = define(grouped, n, x, dy, w);
    for (const Table* table : check::tables()) {
        const std::string context = "depthwise " + text(p, n, table->isa);
        Map y(n, p.out_h, p.out_w, p.out_c, random.integer(0, 1), random.integer(0, 1), -77);
        kernels::DepthwiseArgs a = depthwise_forward(p, x.view, y.view);
        const std::vector<float> bias = integers(p.out_c, random);
        a.x = x.data(), a.y = y.data(), a.weights = w.data();
        a.bias = random.integer(0, 1) ? bias.data() : nullptr;
        a.epilogue = any_epilogue(random);
        check::run_twice(table->depthwise, a, {&y}, random, context);
        std::vector<double> want = d.y;
        for (size_t i = 0; i < want.size(); ++i) {
            if (a.bias) want[i] += bias[i % p.out_c];
            want[i] = check::applied(a.epilogue, want[i]);
        }
        compare(y, want, context);

        Map dx(n, p.in_h, p.in_w, p.in_c, random.integer(0, 1), random.integer(0, 1), -77);
        dx.fill(4321);
        for (kernels::DepthwiseArgs call : depthwise_to_input(p, dy.view, dx.view)) {
            call.x = dy.data(), call.y = dx.data(), call.weights = w.data();
            check::run_in_pieces(table->depthwise, call, kernels::units(call), random);
        }
        CHECK(dx.intact());
        compare(dx, d.dx, "to input " + context);

        LoweredDepthwiseWeights l = depthwise_to_weights(p, x.view, dy.view);
        std::vector<float> slots(l.slot_floats, -55), dw(want.size() ? w.size() : 0, -66);
        l.weights.x = x.data(), l.weights.dy = dy.data(), l.weights.slots = slots.data();
        l.sum.slots = slots.data(), l.sum.out = dw.data();
        check::run_in_pieces(table->depthwise_weights, l.weights, kernels::units(l.weights), random);
        check::run_all(table->sum_slots, l.sum);
        compare(dw, d.dw, "to weights " + context);
    }
}

TEST_CASE("convolutions of chosen shapes") {
    Random random(1);
    const auto both = [&](int64_t n, int64_t h, int64_t w, int64_t ic, int64_t oc, Pair k, Pair s = 1, Pair d = 1,
                          int64_t g = 1) {
        check_all(problem(h, w, ic, oc, k, s, d, g, true), n, random);
        check_all(problem(h, w, ic, oc, k, s, d, g, false), n, random);
    };
    both(2, 1, 1, 1, 1, 1);     // one pixel
    both(1, 1, 1, 3, 5, 3);     // the kernel is larger than the image
    both(1, 5, 5, 1, 4, 5);     // one output pixel
    both(2, 9, 33, 16, 16, 3);  // strips of one vector
    both(2, 6, 29, 8, 32, 3);   // of two
    both(2, 6, 17, 5, 48, 3);   // of three
    both(1, 6, 20, 16, 64, 3);  // of four
    both(3, 4, 4, 24, 80, 3);   // several lines a tile, a last panel of one vector
    both(5, 2, 2, 32, 100, 3);  // along the images
    both(20, 1, 1, 40, 130, 3);
    both(2, 7, 7, 320, 70, 3);  // the reduction in blocks
    both(1, 3, 3, 700, 40, 3);
    both(2, 8, 8, 64, 256, 1);     // 1x1 on whole maps
    both(2, 12, 12, 3, 20, 7, 2);  // a first layer
    both(2, 11, 10, 6, 9, 2, 3);   // stride larger than the kernel: phases without taps
    both(2, 9, 9, 4, 8, {3, 1}, {1, 2}, {2, 1});
    both(1, 13, 12, 8, 8, 3, 2, 2);     // stride and dilation share a factor
    both(2, 6, 6, 12, 18, 3, 1, 1, 3);  // groups
    both(2, 6, 6, 8, 64, 3, 2, 1, 2);
    both(1, 4, 6, 64, 64, 3, 1, 2, 64);
    check_all(problem(40, 40, 8, 8, 3, 1, 1, 1, true), 3, random);  // several pieces of a weight gradient
    check_all(problem(16, 16, 96, 128, 3, 1, 1, 1, true), 2, random);
    check_all(problem(4, 4, 256, 272, 3, 1, 1, 1, true), 2, random);  // weights dealt out instead of pixels
}

TEST_CASE("dense layers") {
    Random random(2);
    for (const auto& [n, in, out] : std::vector<std::array<int64_t, 3>>{{1, 1, 1},
                                                                        {1, 7, 10},
                                                                        {64, 784, 10},
                                                                        {3, 33, 64},
                                                                        {1, 600, 600},
                                                                        {32, 512, 256},
                                                                        {50, 300, 700},
                                                                        {7, 256, 4096},
                                                                        {300, 64, 1}})
        check_all(problem(1, 1, in, out, 1, 1, 1, 1, false), n, random);
}

TEST_CASE("convolutions of random shapes") {
    Random random(3);
    for (int64_t i = 0; i < check::many(250); ++i) {
        const int64_t groups = random.integer(0, 3) ? 1 : random.integer(2, 3);
        const Pair kernel(random.integer(1, 5), random.integer(1, 5)),
            stride(random.integer(1, 3), random.integer(1, 3));
        const Pair dilation(random.integer(1, 3), random.integer(1, 3));
        const int64_t ic = groups * random.integer(1, 20),
                      oc = groups * random.integer(1, random.integer(0, 3) ? 20 : 75);
        check_all(problem(random.integer(1, 12), random.integer(1, 19), ic, oc, kernel, stride, dilation, groups,
                          random.integer(0, 1)),
                  random.integer(1, 4), random);
    }
}

TEST_CASE("depthwise convolutions") {
    Random random(4);
    check_depthwise(problem(9, 17, 64, 64, 3, 1, 1, 1, true), 2, random);
    check_depthwise(problem(1, 1, 5, 5, 3, 1, 1, 1, true), 2, random);
    for (int64_t i = 0; i < check::many(150); ++i) {
        const int64_t channels = random.integer(1, 40), multiplier = random.integer(0, 1) ? 1 : random.integer(2, 4);
        const Pair kernel(random.integer(1, 5), random.integer(1, 5)),
            stride(random.integer(1, 3), random.integer(1, 3));
        check_depthwise(problem(random.integer(1, 12), random.integer(1, 19), channels, channels * multiplier, kernel,
                                stride, {random.integer(1, 3), random.integer(1, 3)}, 1, random.integer(0, 1)),
                        random.integer(1, 3), random);
    }
}

TEST_CASE("sums of channels, the gradient of a bias") {
    Random random(5);
    for (const check::Size& size : check::sizes()) {
        Map x = check::map_of(size, random);
        x.integers(random, -9, 9);
        std::vector<uint8_t> places(static_cast<size_t>(x.size()));
        for (uint8_t& place : places) place = static_cast<uint8_t>(random.integer(0, 4));
        for (const Table* table : check::tables())
            for (const bool some : {false, true}) {
                kernels::ChannelSumArgs a{
                    x.view, x.data(), nullptr, std::min<int64_t>(size.n * size.h, 5), some ? places.data() : nullptr,
                    3};
                std::vector<double> partials(a.pieces * size.c, 3.5), want(size.c, 0), got(size.c, 0);
                a.partials = partials.data();
                check::run_in_pieces(table->channel_sums, a, kernels::units(a), random);
                for (int64_t i = 0; i < x.size(); ++i) want[i % size.c] += some && places[i] == 3 ? 0 : x.flat(i);
                for (size_t i = 0; i < partials.size(); ++i) got[i % size.c] += partials[i];
                for (int64_t i = 0; i < size.c; ++i) CHECK_CLOSE(got[i], want[i], 0, size.text() + table->isa);
            }
    }
}

// What the definition makes of a map that is zero but for the places that won.
void check_maxima(const Problem& p, int64_t n, Random& random) {
    const int64_t h = p.out_h / 2, w = p.out_w / 2, c = p.out_c;
    const Map x = map_of(n, p.in_h, p.in_w, p.in_c, input_halo(p), random.integer(0, 1) * 5, random);
    const Map maxima = map_of(n, h, w, c, {}, random.integer(0, 1) * 3, random);
    Map dy(n, p.out_h, p.out_w, c);
    std::vector<uint8_t> places(static_cast<size_t>(maxima.size()));
    std::vector<double> want_bias(static_cast<size_t>(c), 0);
    for (int64_t i = 0; i < maxima.size(); ++i) {
        places[i] = static_cast<uint8_t>(random.integer(0, 4));
        if (places[i] == kernels::kNoPlace) continue;
        const int64_t pixel = i / c, row = pixel / w % h * 2 + places[i] / 2, col = pixel % w * 2 + places[i] % 2;
        dy.at(pixel / w / h, row, col, i % c) = maxima.flat(i);
        want_bias[i % c] += maxima.flat(i);
    }
    const Definition d = define(p, n, x, dy, integers(p.kernel.h * p.kernel.w * p.in_c * c, random));
    CHECK(maxima_fit(p));
    for (const Table* table : check::tables()) {
        LoweredMaximaWeights l = maxima_to_weights(p, x.view, maxima.view);
        std::vector<float> slots(l.slot_floats, -9.0f), bias_slots(l.bias_floats, -9.0f), scratch(l.scratch_floats);
        std::vector<float> got(d.dw.size()), bias(want_bias.size());
        l.weights.x = x.data(), l.weights.dy = maxima.data(), l.weights.places = places.data();
        l.weights.slots = slots.data(), l.weights.scratch = scratch.data();
        l.weights.bias = random.integer(0, 3) ? bias_slots.data() : nullptr;
        check::run_in_pieces(table->maxima_weights, l.weights, kernels::units(l.weights), random);
        l.sum.slots = slots.data(), l.sum.out = got.data();
        check::run_all(table->sum_slots, l.sum);
        compare(got, d.dw, "of maxima " + text(p, n, table->isa));
        if (!l.weights.bias) continue;
        l.bias.slots = bias_slots.data(), l.bias.out = bias.data();
        check::run_all(table->sum_slots, l.bias);
        compare(bias, want_bias, "bias of maxima " + text(p, n, table->isa));
    }
}

TEST_CASE("gradients through the maxima of a pooled convolution") {
    Random random(7);
    check_maxima(problem(28, 28, 1, 32, 3, 1, 1, 1, false), 3, random);
    check_maxima(problem(16, 16, 3, 24, 3, 1, 1, 1, true), 2, random);
    check_maxima(problem(40, 30, 1, 6, 5, 1, 1, 1, true), 7, random);
    for (int i = 0; i < 150; ++i) {
        const Pair kernel(random.integer(1, 4), random.integer(1, 4)),
            stride(random.integer(1, 3), random.integer(1, 3));
        const Problem p =
            problem(random.integer(8, 24), random.integer(8, 24), random.integer(1, 2), random.integer(1, 40), kernel,
                    stride, {random.integer(1, 2), random.integer(1, 2)}, 1, random.integer(0, 1));
        if (p.out_h > 1 && p.out_w > 1) check_maxima(p, random.integer(1, 3), random);
    }
}

TEST_CASE("NaN reaches only the outputs that depend on it") {
    Random random(6);
    const Problem p = problem(3, 40, 4, 37, 3, 1, 1, 1, true);
    Map x = map_of(1, p.in_h, p.in_w, p.in_c, input_halo(p), 0, random);
    x.at(0, 1, 1, 2) = std::numeric_limits<float>::quiet_NaN();
    const std::vector<float> w(9 * 4 * 37, 1.0f);
    for (const Table* table : check::tables()) {
        Map y(1, 3, 40, 37);
        Lowered l = forward(p, x.view, y.view, check::machine_of(*table));
        Buffer packed(l.packed_floats);
        bind_weights(*table, l, w.data(), packed);
        l.conv.x = x.data(), l.conv.y = y.data(), l.conv.epilogue = {kernels::ActivationKind::relu};
        check::run_all(table->conv, l.conv);
        CHECK(std::isnan(y.at(0, 0, 0, 0)));
        CHECK(std::isnan(y.at(0, 2, 2, 36)));
        CHECK(!std::isnan(y.at(0, 0, 3, 0)));
    }
}

}  // namespace
