// Element-wise, channel-wise and copying kernels against their definitions.
#include "activation_definition.hpp"
#include "kernel_check.hpp"

using namespace striate::kernels;
using check::Map;
using check::Random;
using check::run_all;
using check::Size;

namespace {

double combined(BinaryKind kind, double a, double b) {
    switch (kind) {
        case BinaryKind::add:
            return a + b;
        case BinaryKind::subtract:
            return a - b;
        case BinaryKind::multiply:
            return a * b;
        case BinaryKind::add_relu:
            return std::max(0.0, a + b);
        case BinaryKind::add_scaled:
            return (a + b) * 0.375;
        case BinaryKind::maximum:
            return std::max(a, b);
        case BinaryKind::minimum:
            return std::min(a, b);
    }
    return 0.0;
}

// The element of `m` that represents place (n, y, x, c) after broadcasting.
float broadcast_at(const Map& m, int64_t n, int64_t y, int64_t x, int64_t c) {
    return m.at(m.view.n == 1 ? 0 : n, m.view.h == 1 ? 0 : y, m.view.w == 1 ? 0 : x, m.view.c == 1 ? 0 : c);
}

void test_binary(const Table& table, const Size& size, Random& random) {
    const Size ones[] = {size,
                         {size.n, 1, 1, size.c},
                         {size.n, size.h, size.w, 1},
                         {1, size.h, size.w, size.c},
                         {size.n, 1, size.w, size.c},
                         {size.n, size.h, 1, size.c},
                         {1, 1, 1, 1}};
    for (const Size& other : ones)
        for (const BinaryKind kind : {BinaryKind::add, BinaryKind::subtract, BinaryKind::multiply, BinaryKind::add_relu,
                                      BinaryKind::add_scaled, BinaryKind::maximum, BinaryKind::minimum}) {
            const std::string context = std::string(table.isa) + " binary " + size.text() + " with " + other.text();
            Map a = map_of(size, random), b = map_of(other, random), y = map_of(size, random);
            a.random(random), b.random(random);
            const bool swapped = random.integer(0, 1);
            const Map &first = swapped ? b : a, &second = swapped ? a : b;
            const BinaryArgs args = {kind,         first.view,    second.view, y.view,
                                     first.data(), second.data(), y.data(),    0.375f};
            run_twice(table.binary, args, {&y}, random, context);
            for (int64_t i = 0; i < y.size(); ++i) {
                const int64_t c = i % size.c, px = i / size.c % size.w, py = i / size.c / size.w % size.h;
                const int64_t n = i / size.c / size.w / size.h;
                const double other_value = broadcast_at(b, n, py, px, c);
                const double want =
                    swapped ? combined(kind, other_value, a.flat(i)) : combined(kind, a.flat(i), other_value);
                CHECK_NEAR(y.flat(i), want, 1e-7, context);
            }
            // The gradient of the broadcast operand.
            for (const bool multiplied : {false, true}) {
                Map out = map_of(other, random);
                const ReduceBroadcastArgs back = {a.view,    multiplied ? y.view : striate::View{}, out.view,
                                                  a.data(),  multiplied ? y.data() : nullptr,       -0.5f,
                                                  out.data()};
                run_twice(table.reduce_broadcast, back, {&out}, random, context + " backward");
                Map sums(other.n, other.h, other.w, other.c);
                std::vector<double> want(out.size());
                for (int64_t i = 0; i < a.size(); ++i) {
                    const int64_t c = other.c == 1 ? 0 : i % size.c, px = other.w == 1 ? 0 : i / size.c % size.w;
                    const int64_t py = other.h == 1 ? 0 : i / size.c / size.w % size.h;
                    const int64_t n = other.n == 1 ? 0 : i / size.c / size.w / size.h;
                    want[((n * other.h + py) * other.w + px) * other.c + c] +=
                        -0.5 * a.flat(i) * (multiplied ? y.flat(i) : 1.0f);
                }
                for (int64_t i = 0; i < out.size(); ++i) CHECK_NEAR(out.flat(i), want[i], 3e-6, context + " backward");
            }
        }
}

// The gradient of a maximum of maps with equal elements in them.
void test_extreme(const Table& table, const Size& size, Random& random) {
    const Size ones[] = {size, {size.n, 1, 1, size.c}, {size.n, size.h, size.w, 1}, {1, 1, 1, 1}};
    for (const Size& other : ones)
        for (const bool in_place : {false, true}) {
            const std::string context = std::string(table.isa) + " extreme " + size.text() + " with " + other.text();
            Map x = map_of(other, random), y = map_of(size, random), dy = map_of(size, random);
            Map dx = map_of(size, random), rest = map_of(size, random);
            for (int64_t i = 0; i < x.size(); ++i) x.flat(i) = static_cast<float>(random.integer(0, 2));
            for (int64_t i = 0; i < y.size(); ++i) y.flat(i) = static_cast<float>(random.integer(0, 2));
            y.flat(0) = std::numeric_limits<float>::quiet_NaN();
            dy.random(random);
            const Map given = dy;
            ExtremeGradArgs args = {x.view,   y.view,   dy.view,   dx.view,   rest.view,
                                    x.data(), y.data(), dy.data(), dx.data(), rest.data()};
            if (in_place) {
                args.view_rest = dy.view, args.rest = dy.data();
                run_all(table.extreme_backward, args);
            } else {
                run_twice(table.extreme_backward, args, {&dx, &rest}, random, context);
            }
            const Map& left = in_place ? dy : rest;
            for (int64_t i = 0; i < y.size(); ++i) {
                const int64_t c = i % size.c, px = i / size.c % size.w, py = i / size.c / size.w % size.h;
                const bool here = broadcast_at(x, i / size.c / size.w / size.h, py, px, c) == y.flat(i);
                CHECK(dx.flat(i) == (here ? given.flat(i) : 0.0f));
                CHECK(left.flat(i) == (here ? 0.0f : given.flat(i)));
            }
            CHECK(dx.intact());
            CHECK(left.intact());
            args.dx = nullptr;
            if (!in_place) {
                const Map before = rest;
                run_twice(table.extreme_backward, args, {&rest}, random, context + " without dx");
                CHECK(rest.same_values(before));
            }
        }
}

// A NaN in either input is in the maximum and the minimum.
void test_extreme_of_nan(const Table& table, const Size& size, Random& random) {
    for (const BinaryKind kind : {BinaryKind::maximum, BinaryKind::minimum})
        for (const bool first : {true, false}) {
            Map a = map_of(size, random), b = map_of(size, random), y = map_of(size, random);
            a.random(random), b.random(random);
            (first ? a : b).fill(std::numeric_limits<float>::quiet_NaN());
            run_all(table.binary, BinaryArgs{kind, a.view, b.view, y.view, a.data(), b.data(), y.data()});
            for (int64_t i = 0; i < y.size(); ++i) CHECK(std::isnan(y.flat(i)));
        }
}

void test_maps(const Table& table, const Size& size, Random& random) {
    const std::string context = std::string(table.isa) + " " + size.text();
    Map x = map_of(size, random), y = map_of(size, random);
    x.random(random);
    x.flat(0) = std::numeric_limits<float>::quiet_NaN();

    const ScaleShiftArgs scale = {x.view, y.view, x.data(), y.data(), 1.0f / 255, -0.5f};
    run_twice(table.scale_shift, scale, {&y}, random, context);
    for (int64_t i = 0; i < x.size(); ++i) CHECK_NEAR(y.flat(i), double(x.flat(i)) / 255 - 0.5, 1e-7, context);

    y.random(random);
    const Map before = y;
    const AccumulateArgs add = {x.view, y.view, x.data(), y.data(), -2.0f};
    run_all(table.accumulate, add);
    for (int64_t i = 0; i < x.size(); ++i) CHECK_NEAR(y.flat(i), before.flat(i) - 2.0 * x.flat(i), 2e-7, context);
    CHECK(y.intact());

    const CopyArgs same = {x.view, y.view, x.data(), y.data()};
    run_twice(table.copy, same, {&y}, random, context);
    CHECK(y.same_values(x));

    const FillArgs fill = {y.view, y.data(), 3.5f};
    run_twice(table.fill, fill, {&y}, random, context);
    for (int64_t i = 0; i < y.size(); ++i) CHECK(y.flat(i) == 3.5f);
}

void test_zero_halo(const Table& table, Random& random) {
    for (const int64_t extra : {0, 3})
        for (int round = 0; round < 20; ++round) {
            const int64_t top = random.integer(0, 2), bottom = random.integer(0, 2);
            const int64_t left = random.integer(0, 2), right = random.integer(0, 2);
            const int64_t h = random.integer(1, 4), w = random.integer(1, 4), c = random.integer(1, 20);
            Map whole(2, h + top + bottom, w + left + right, c, 1, extra);
            whole.fill(7);
            striate::View inner = whole.view;
            inner.h = h, inner.w = w;
            const ZeroHaloArgs args = {inner, &whole.at(0, top, left, 0), top, bottom, left, right};
            run_all(table.zero_halo, args);
            CHECK(whole.intact());
            for (int64_t n = 0; n < 2; ++n)
                for (int64_t y = 0; y < whole.view.h; ++y)
                    for (int64_t x = 0; x < whole.view.w; ++x)
                        for (int64_t i = 0; i < c; ++i) {
                            const bool inside = y >= top && y < top + h && x >= left && x < left + w;
                            CHECK(whole.at(n, y, x, i) == (inside ? 7.0f : 0.0f));
                        }
        }
}

std::vector<float> parameters(int64_t count, Random& random) {
    std::vector<float> values(count);
    for (float& value : values) value = static_cast<float>(random.uniform(-2, 2));
    return values;
}

void test_channel_affine(const Table& table, const Size& size, Random& random) {
    const int rounds = 4 * static_cast<int>(std::size(check::kOfNormalizations));
    for (int round = 0; round < rounds; ++round) {
        const ActivationKind kind = check::kOfNormalizations[round / 4];
        const bool plain = kind == ActivationKind::linear || kind == ActivationKind::relu;
        const bool each_image = round & 1, with_mean = !plain || round & 2, with_shift = !plain || random.integer(0, 1);
        const std::string context = striate::concat(table.isa, " channel_affine ", size.text(), " round ", round);
        Map x = map_of(size, random), y = map_of(size, random), dy = map_of(size, random), dx = map_of(size, random);
        x.random(random), dy.random(random);
        const int64_t count = size.c * (each_image ? size.n : 1), stride = each_image ? size.c : 0;
        const std::vector<float> mean = parameters(count, random), scale = parameters(count, random);
        const std::vector<float> slope = parameters(count, random), offset = parameters(count, random);
        const std::vector<float> shift = parameters(size.c, random);
        const ChannelAffineArgs args = {x.view,
                                        y.view,
                                        x.data(),
                                        y.data(),
                                        with_mean ? mean.data() : nullptr,
                                        scale.data(),
                                        with_shift ? shift.data() : nullptr,
                                        stride,
                                        kind};
        run_twice(table.channel_affine, args, {&y}, random, context);
        const bool sloped = with_mean, centred = sloped || kind != ActivationKind::linear;
        const std::vector<float> seen_mean = with_mean ? mean : std::vector<float>(mean.size(), 0.0f);
        const ChannelAffineGradArgs back = {x.view,
                                            dy.view,
                                            dx.view,
                                            centred ? x.data() : nullptr,
                                            dy.data(),
                                            dx.data(),
                                            centred ? seen_mean.data() : nullptr,
                                            scale.data(),
                                            with_shift ? shift.data() : nullptr,
                                            sloped ? slope.data() : nullptr,
                                            sloped ? offset.data() : nullptr,
                                            stride,
                                            kind};
        run_twice(table.channel_affine_backward, back, {&dx}, random, context + " backward");
        for (int64_t i = 0; i < x.size(); ++i) {
            const int64_t c = i % size.c, p = i / size.c / size.w / size.h * stride + c;
            const double shifted = with_shift ? shift[c] : 0.0;
            const double z = (x.flat(i) - (with_mean ? mean[p] : 0.0)) * scale[p] + shifted;
            const double z_back = (x.flat(i) - double(seen_mean[p])) * scale[p] + shifted;
            CHECK_NEAR(y.flat(i), check::activated(kind, z), 5e-7, context);
            const bool relu = kind == ActivationKind::relu;  // by the sign that the kernel saw
            const double g = dy.flat(i) * (relu ? y.flat(i) > 0 : check::derivative(kind, z_back));
            const double dx_want = g * scale[p] + (sloped ? (x.flat(i) - double(mean[p])) * slope[p] + offset[p] : 0.0);
            CHECK_NEAR(dx.flat(i), dx_want, 1e-6, context + " backward");
        }
    }
}

void test_gather(const Table& table, const Size& size, Random& random) {
    const int64_t total = size.n + 3, image = size.h * size.w * size.c;
    std::vector<float> floats(total * image);
    std::vector<uint8_t> bytes(total * image);
    for (float& value : floats) value = static_cast<float>(random.uniform());
    for (uint8_t& value : bytes) value = static_cast<uint8_t>(random.integer(0, 255));
    std::vector<int64_t> indices(size.n);
    for (int64_t& index : indices) index = random.integer(0, total - 1);
    for (const SourceKind kind :
         {SourceKind::float32, SourceKind::uint8, SourceKind::float32_channels_first, SourceKind::uint8_channels_first})
        for (const bool chosen : {true, false}) {
            const std::string context =
                striate::concat(table.isa, " gather ", size.text(), " kind ", static_cast<int>(kind));
            const bool is_float = kind == SourceKind::float32 || kind == SourceKind::float32_channels_first;
            const bool last = kind == SourceKind::float32 || kind == SourceKind::uint8;
            Map y = map_of(size, random);
            const void* source = is_float ? static_cast<const void*>(floats.data()) : bytes.data();
            const GatherArgs args = {kind, source, chosen ? indices.data() : nullptr, y.view, y.data(), 2.0f, -1.0f};
            run_twice(table.gather, args, {&y}, random, context);
            for (int64_t n = 0; n < size.n; ++n)
                for (int64_t py = 0; py < size.h; ++py)
                    for (int64_t px = 0; px < size.w; ++px)
                        for (int64_t c = 0; c < size.c; ++c) {
                            const int64_t from = chosen ? indices[n] : n;
                            const int64_t at = last ? ((from * size.h + py) * size.w + px) * size.c + c
                                                    : ((from * size.c + c) * size.h + py) * size.w + px;
                            CHECK_NEAR(y.at(n, py, px, c), (is_float ? floats[at] : bytes[at]) * 2.0 - 1, 1e-7,
                                       context);
                        }
        }
    std::vector<uint8_t> rows(size.n * image);
    const GatherBytesArgs raw = {bytes.data(), indices.data(), rows.data(), size.n, image};
    run_in_pieces(table.gather_bytes, raw, units(raw), random);
    for (int64_t n = 0; n < size.n; ++n)
        for (int64_t i = 0; i < image; ++i) CHECK(rows[n * image + i] == bytes[indices[n] * image + i]);
}

void test_merge_sums(const Table& table, Random& random) {
    const int64_t pieces = 7, size = 700;
    std::vector<double> partials(pieces * size);
    for (double& value : partials) value = random.uniform(-1, 1);
    std::vector<float> out(size);
    const MergeSumsArgs args = {pieces, size, partials.data(), out.data(), 0.25};
    run_in_pieces(table.merge_sums, args, units(args), random);
    for (int64_t i = 0; i < size; ++i) {
        double want = 0;
        for (int64_t p = 0; p < pieces; ++p) want += partials[p * size + i];
        CHECK_NEAR(out[i], want * 0.25, 1e-7, "merge_sums");
    }
}

}  // namespace

TEST_CASE("sums, products and other functions of two maps") {
    Random random(2);
    for (const Table* table : check::tables())
        for (const Size& size : check::sizes()) test_binary(*table, size, random);
}

TEST_CASE("gradients of maxima of maps with equal elements") {
    Random random(2);
    for (const Table* table : check::tables())
        for (const Size& size : check::sizes()) test_extreme(*table, size, random);
}

TEST_CASE("maxima and minima of NaN are NaN") {
    Random random(2);
    for (const Table* table : check::tables())
        for (const Size& size : check::sizes()) test_extreme_of_nan(*table, size, random);
}

TEST_CASE("copies, fills and sums of maps") {
    Random random(2);
    for (const Table* table : check::tables())
        for (const Size& size : check::sizes()) test_maps(*table, size, random);
}

TEST_CASE("scaled and shifted channels") {
    Random random(2);
    for (const Table* table : check::tables())
        for (const Size& size : check::sizes()) test_channel_affine(*table, size, random);
}

TEST_CASE("rows are gathered") {
    Random random(2);
    for (const Table* table : check::tables())
        for (const Size& size : check::sizes()) test_gather(*table, size, random);
}

TEST_CASE("borders are set to zero") {
    Random random(2);
    for (const Table* table : check::tables()) test_zero_halo(*table, random);
}

TEST_CASE("partial sums are added in order") {
    Random random(2);
    for (const Table* table : check::tables()) test_merge_sums(*table, random);
}
