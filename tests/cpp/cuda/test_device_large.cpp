// Work that is large enough for the largest tile of a convolution: each output is an exact sum of integers.
#include "convolution_definition.hpp"
#include "device_table.hpp"

using namespace striate::convolution;
using check::Map;

TEST_CASE("a convolution of the largest tile") {
    check::Random random(1);
    const Problem p = check::problem(132, 64, 2, 512, 1, 1, 1, 1, true);
    const Map x = check::map_of(1, p.in_h, p.in_w, p.in_c, {}, 0, random);
    const std::vector<float> w = check::integers(p.in_c * p.out_c, random), bias = check::integers(p.out_c, random);
    Map y(1, p.out_h, p.out_w, p.out_c, 0, 0, -77);
    const check::Table& table = *check::device_tables()[0];
    Lowered l = forward(p, x.view, y.view, check::machine_of(table));
    CHECK(l.direct);
    l.conv.x = x.data(), l.conv.weights = w.data(), l.conv.bias = bias.data(), l.conv.y = y.data();
    l.conv.epilogue = {striate::kernels::ActivationKind::relu};
    check::run_all(table.conv, l.conv);
    for (int64_t i = 0; i < y.size(); ++i) {
        const int64_t o = i % p.out_c, pixel = i / p.out_c;
        const float sum = bias[static_cast<size_t>(o)] + x.flat(2 * pixel) * w[static_cast<size_t>(o)] +
                          x.flat(2 * pixel + 1) * w[static_cast<size_t>(p.out_c + o)];
        CHECK(y.flat(i) == std::max(0.0f, sum));
    }
}
