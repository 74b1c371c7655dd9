// Winograd's convolution on every instruction set that runs here, in all three directions, against the definition in
// double precision: at most 2e-5 of the norm away, on 1,000 shapes.
#include <array>
#include <cstdlib>

#include "convolution_definition.hpp"
#include "cpu/winograd.hpp"

using namespace striate;
using namespace striate::convolution;
using check::Definition;
using check::Map;
using check::Random;
using kernels::Table;

namespace {

double worst = 0;

void compare(const std::function<double(size_t)>& got, const std::vector<double>& want, const std::string& context) {
    double off = 0, size = 0;
    for (size_t i = 0; i < want.size(); ++i) {
        off += (got(i) - want[i]) * (got(i) - want[i]);
        size += want[i] * want[i];
    }
    const double relative = std::sqrt(off / (size + 1e-30));
    worst = std::max(worst, relative);
    CHECK_MESSAGE(relative <= 2e-5, "off by ", relative, ": ", context);
}

// Runs a kernel whose arguments have `scratch` in random pieces.
template <class Args>
void run_with_scratch(void (*kernel)(const Args&, int64_t, int64_t), Args args, int64_t floats, Random& random) {
    std::vector<float> scratch(static_cast<size_t>(floats), std::numeric_limits<float>::quiet_NaN());
    args.scratch = scratch.data();
    check::run_in_pieces(kernel, args, kernels::units(args), random);
}

void run(const Table& table, WinogradLowered& l, const float* kernel, Random& random) {
    if (l.way == WinogradWay::streamed) {
        std::vector<float> v(l.v_floats);
        l.all.input.out = v.data();
        check::run_in_pieces(table.winograd_input, l.all.input, kernels::units(l.all.input), random);
        kernels::WinogradStreamedArgs a = l.streamed;
        a.product.a = v.data();
        (a.packs ? a.pack.src : a.weights.src) = kernel;
        a.output.y = l.all.output.y, a.output.bias = l.all.output.bias;
        a.output.relu = l.all.output.relu, a.output.accumulate = l.all.output.accumulate;
        a.output.places = l.all.output.places;
        return run_with_scratch(table.winograd_streamed, a, l.scratch_floats, random);
    }
    std::vector<float> packed(l.packed_floats), weights(l.weight_floats);
    l.weights.src = kernel;
    if (!l.direct) {
        l.pack.src = kernel, l.pack.dst = packed.data();
        check::run_all(table.pack_weights, l.pack);
        l.weights.src = packed.data();
    }
    l.weights.dst = weights.data();
    check::run_in_pieces(table.winograd_weights, l.weights, kernels::units(l.weights), random);
    l.all.product.b = weights.data();
    if (l.way == WinogradWay::blocked) return run_with_scratch(table.winograd, l.all, l.scratch_floats, random);
    std::vector<float> v(l.v_floats), m(l.m_floats);
    l.all.input.out = v.data(), l.all.product.a = v.data();
    l.all.product.c = m.data(), l.all.output.m = m.data();
    check::run_in_pieces(table.winograd_input, l.all.input, kernels::units(l.all.input), random);
    check::run_in_pieces(table.winograd_product, l.all.product, kernels::units(l.all.product), random);
    check::run_in_pieces(table.winograd_output, l.all.output, kernels::units(l.all.output), random);
}

void check_map(const Table& table, WinogradLowered l, const Map& x, const float* kernel, Map& y,
               std::vector<double> want, Random& random, const std::string& context) {
    std::vector<float> bias(static_cast<size_t>(y.view.c));
    for (float& b : bias) b = static_cast<float>(random.uniform(-1, 1));
    l.all.input.x = x.data();
    l.all.output.y = y.data();
    l.all.output.bias = random.integer(0, 1) ? bias.data() : nullptr;
    l.all.output.relu = random.integer(0, 1);
    l.all.output.accumulate = random.integer(0, 1);
    const float before = l.all.output.accumulate ? 0.5f : 4321;
    y.fill(before);
    run(table, l, kernel, random);
    CHECK_MESSAGE(y.intact(), "wrote outside its view: ", context);
    const Map first = y;
    for (size_t i = 0; i < want.size(); ++i) {
        if (l.all.output.bias) want[i] += bias[i % bias.size()];
        if (l.all.output.accumulate) want[i] += before;
        if (l.all.output.relu) want[i] = std::max(0.0, want[i]);
    }
    compare([&](size_t i) { return y.flat(static_cast<int64_t>(i)); }, want, context);
    y.fill(before);
    run(table, l, kernel, random);
    CHECK_MESSAGE(y.same_values(first), "depends on how it is split: ", context);
}

// Maxima of whole windows are those of what is computed without them.
void check_pooled(const Table& table, const Problem& p, const Map& x, const Halo& halo, const float* kernel,
                  bool weights_stay, Random& random, const std::string& context) {
    const int64_t n = x.view.n, h = p.out_h / 2, w = p.out_w / 2, c = p.out_c;
    const Machine machine = Machine::of(table.vector_width);
    const bool relu = random.integer(0, 1), kept = random.integer(0, 3);
    std::vector<float> bias(static_cast<size_t>(c));
    for (float& b : bias) b = static_cast<float>(random.uniform(-1, 1));
    Map all(n, 2 * h, 2 * w, c), want(n, h, w, c), got(n, h, w, c, random.integer(0, 1), random.integer(0, 1) * 3, -77);
    std::vector<uint8_t> want_places(static_cast<size_t>(want.size())), places(want_places.size(), 99);
    WinogradLowered l = winograd_forward(p, x.view, halo, all.view, machine, weights_stay), pooled = l;
    winograd_pools(pooled, got.view);
    for (WinogradLowered* lowered : {&l, &pooled})
        lowered->all.input.x = x.data(), lowered->all.output.bias = bias.data();
    l.all.output.y = all.data();
    run(table, l, kernel, random);
    const kernels::MaxPoolArgs pool{{2, 2, 2, 2, 0, 0},          all.view, want.view, all.data(), want.data(),
                                    {want_places.data(), false}, relu};
    check::run_all(table.max_pool, pool);
    pooled.all.output.y = got.data(), pooled.all.output.relu = relu;
    pooled.all.output.places = kept ? places.data() : nullptr;
    run(table, pooled, kernel, random);
    CHECK_MESSAGE(got.intact(), "wrote outside its view: ", context);
    CHECK_MESSAGE(got.same_values(want), "other maxima: ", context);
    if (kept) CHECK_MESSAGE(places == want_places, "other places: ", context);
}

std::vector<float> run_to_weights(const Table& table, const WinogradWeightsLowered& lowered, size_t size, const Map& x,
                                  const Map& dy, Random& random) {
    kernels::WinogradToWeightsArgs a = lowered.all;
    std::vector<float> du(lowered.du_floats, std::numeric_limits<float>::quiet_NaN()), dw(size, -66);
    a.input.x = x.data(), a.gradient.x = dy.data(), a.du = du.data();
    if (lowered.way == WinogradWay::streamed) {
        std::vector<float> v(lowered.v_floats), z(lowered.z_floats);
        a.input.out = v.data(), a.gradient.out = z.data();
        check::run_in_pieces(table.winograd_input, a.input, kernels::units(a.input), random);
        check::run_in_pieces(table.winograd_gradient, a.gradient, kernels::units(a.gradient), random);
        kernels::WinogradWeightsStreamedArgs s = lowered.streamed;
        s.product.v = v.data(), s.product.z = z.data(), s.dw = dw.data();
        run_with_scratch(table.winograd_weights_streamed, s, lowered.scratch_floats, random);
        return dw;
    }
    if (lowered.way == WinogradWay::blocked) {
        run_with_scratch(table.winograd_to_weights, a, lowered.scratch_floats, random);
    } else {
        std::vector<float> v(lowered.v_floats), z(lowered.z_floats);
        a.input.out = v.data(), a.gradient.out = z.data();
        a.product.v = v.data(), a.product.z = z.data(), a.product.du = du.data();
        for (int64_t first = 0; first < a.tiles; first += a.block) {
            a.product.tiles = std::min(a.block, a.tiles - first);
            a.product.accumulate = first > 0;
            for (kernels::WinogradMapArgs* map : {&a.input, &a.gradient})
                map->tiles.first = first, map->tiles.count = a.product.tiles;
            check::run_in_pieces(table.winograd_input, a.input, kernels::units(a.input), random);
            check::run_in_pieces(table.winograd_gradient, a.gradient, kernels::units(a.gradient), random);
            check::run_in_pieces(table.winograd_weight_product, a.product, kernels::units(a.product), random);
        }
    }
    kernels::WinogradWeightGradArgs result = lowered.result;
    result.du = du.data(), result.dw = dw.data();
    check::run_in_pieces(table.winograd_weight_gradient, result, kernels::units(result), random);
    return dw;
}

// Zeros around a map as far as `halo` promises them, and numbers beyond that nobody may read.
Map random_map(int64_t n, int64_t h, int64_t w, int64_t c, const Halo& halo, int64_t extra, Random& random) {
    Map map(n, h, w, c, 2, extra, std::numeric_limits<float>::quiet_NaN());
    for (int64_t i = 0; i < n; ++i)
        for (int64_t y = -halo.top; y < h + halo.bottom; ++y)
            for (int64_t x = -halo.left; x < w + halo.right; ++x)
                for (int64_t j = 0; j < c; ++j) map.at(i, y, x, j) = 0;
    return map.random(random);
}

void check_all(const Problem& p, int64_t n, Random& random) {
    CHECK(winograd_fits(p));
    // Whatever zeros there are around the map: less than a window reaches, too.
    const auto some = [&] {
        return Halo{random.integer(0, 2), random.integer(0, 2), random.integer(0, 2), random.integer(0, 2)};
    };
    const Halo x_halo = some(), dy_halo = some();
    const Map x = random_map(n, p.in_h, p.in_w, p.in_c, x_halo, random.integer(0, 1) * 5, random);
    const Map dy = random_map(n, p.out_h, p.out_w, p.out_c, dy_halo, random.integer(0, 1) * 3, random);
    std::vector<float> w(static_cast<size_t>(9 * p.in_c * p.out_c));
    for (float& v : w) v = static_cast<float>(random.uniform(-1, 1));
    const Definition d = check::define(p, n, x, dy, w);
    for (const Table* table : check::tables()) {
        const std::string context = check::text(p, n, table->isa);
        const Machine machine = Machine::of(table->vector_width);
        Map y(n, p.out_h, p.out_w, p.out_c, random.integer(0, 1), random.integer(0, 1) * 3, -77);
        Map dx(n, p.in_h, p.in_w, p.in_c, random.integer(0, 1), random.integer(0, 1) * 3, -77);
        for (const bool weights_stay : {false, true}) {
            check_map(*table, winograd_forward(p, x.view, x_halo, y.view, machine, weights_stay), x, w.data(), y, d.y,
                      random, "forward " + context);
            check_map(*table, winograd_to_input(p, dy.view, dy_halo, dx.view, machine, weights_stay), dy, w.data(), dx,
                      d.dx, random, "to input " + context);
            check_pooled(*table, p, x, x_halo, w.data(), weights_stay, random, "pooled " + context);
        }
        const WinogradWeightsLowered l = winograd_to_weights(p, x.view, x_halo, dy.view, machine);
        const std::vector<float> dw = run_to_weights(*table, l, w.size(), x, dy, random);
        compare([&](size_t i) { return dw[i]; }, d.dw, "to weights " + context);
        CHECK(dw == run_to_weights(*table, l, w.size(), x, dy, random));
    }
}

TEST_CASE("convolutions of chosen shapes") {
    Random random(1);
    for (const bool same : {true, false}) {
        check_all(check::problem(16, 16, 16, 16, 3, 1, 1, 1, same), 24, random);  // blocks, pieces
        check_all(check::problem(13, 11, 32, 48, 3, 1, 1, 1, same), 5, random);   // tiles that stick out
        check_all(check::problem(8, 8, 128, 96, 3, 1, 1, 1, same), 2, random);    // parts one by one
    }
    check_all(check::problem(4, 4, 272, 528, 3, 1, 1, 1, true), 3, random);    // the depth in blocks
    check_all(check::problem(8, 8, 160, 144, 3, 1, 1, 1, true), 40, random);   // several blocks of a large gradient
    check_all(check::problem(4, 4, 272, 288, 3, 1, 1, 1, true), 134, random);  // maps smaller than weights, in blocks
}

void test_random(int shapes) {
    Random random(2);
    for (int tried = 0; tried < shapes;) {
        const Problem p = check::problem(random.integer(4, 14), random.integer(4, 14), 16 * random.integer(1, 3),
                                         16 * random.integer(1, 3), 3, 1, 1, 1, random.integer(0, 1));
        if (!winograd_fits(p)) continue;
        check_all(p, random.integer(1, 2), random);
        ++tried;
    }
}

TEST_CASE("the rule that chooses Winograd's convolution") {
    const auto fits = [](int64_t size, int64_t in, int64_t out, Pair k, Pair s, Pair d, int64_t groups) {
        return winograd_fits(check::problem(size, size, in, out, k, s, d, groups, true));
    };
    CHECK(fits(8, 16, 32, 3, 1, 1, 1));
    CHECK(!fits(8, 16, 32, 5, 1, 1, 1));
    CHECK(!fits(8, 16, 32, 3, 2, 1, 1));
    CHECK(!fits(8, 16, 32, 3, 1, 2, 1));
    CHECK(!fits(8, 16, 32, 3, 1, 1, 2));
    CHECK(!fits(8, 8, 32, 3, 1, 1, 1));
    CHECK(!fits(8, 16, 24, 3, 1, 1, 1));
    CHECK(!fits(2, 16, 32, 3, 1, 1, 1));  // one tile for four outputs
}

}  // namespace

// test_kernels_winograd [number of random shapes]
TEST_CASE("convolutions of random shapes") {
    test_random(check::repetitions(1000));
    MESSAGE("largest relative error ", worst);
}
