// Images sampled through maps and shaded, against the definition in double precision; feeds of batches.
#include <cstring>

#include "kernel_check.hpp"
#include "striate/feed.hpp"
#include "striate/random.hpp"

using namespace striate::kernels;
using check::Random;
using check::run_in_pieces;

namespace {

int64_t inside(int64_t i, int64_t n, Border border) {
    while (i < 0 || i >= n) {
        if (border == Border::constant) return n;
        if (border == Border::nearest) return i < 0 ? 0 : n - 1;
        if (border == Border::wrap)
            i += i < 0 ? n : -n;
        else
            i = i < 0 ? -1 - i : 2 * n - 1 - i;
    }
    return i;
}

// A map with coordinates up to `reach` sizes away from the image, bent or not.
struct Field {
    Field(int64_t h, int64_t w, double reach, bool bends, Random& random) {
        for (std::vector<float>* along : {&along_x, &along_y})
            for (int64_t i = 0; i < w; ++i) along->push_back(static_cast<float>(random.uniform(-reach, reach) * w));
        for (std::vector<float>* down : {&down_x, &down_y})
            for (int64_t i = 0; i < h; ++i) down->push_back(static_cast<float>(random.uniform(-reach, reach) * h));
        for (std::vector<float>* bend : {&bend_x, &bend_y})
            for (int64_t i = 0; i < 6 * w; ++i) bend->push_back(static_cast<float>(random.uniform(-2, 2)));
        for (int64_t i = 0; i < h; ++i) {
            knots.push_back(static_cast<int32_t>(random.integer(0, 2)));
            for (int k = 0; k < 4; ++k) shares.push_back(static_cast<float>(random.uniform()));
        }
        map = {h,       w,       Border::reflect, along_x.data(), along_y.data(), down_x.data(), down_y.data(),
               nullptr, nullptr, nullptr,         nullptr};
        if (bends)
            map.bend_x = bend_x.data(), map.bend_y = bend_y.data(), map.knots = knots.data(),
            map.shares = shares.data();
    }
    double place(const float* along, const float* down, const float* bend, int64_t x, int64_t y) const {
        double at = double(along[x]) + down[y];
        for (int k = 0; bend && k < 4; ++k) at += double(shares[4 * y + k]) * bend[(knots[y] + k) * map.w + x];
        return at;
    }
    double column(int64_t x, int64_t y) const { return place(map.along_x, map.down_x, map.bend_x, x, y); }
    double row(int64_t x, int64_t y) const { return place(map.along_y, map.down_y, map.bend_y, x, y); }

    PixelMap map;
    std::vector<float> along_x, along_y, down_x, down_y, bend_x, bend_y, shares;
    std::vector<int32_t> knots;
};

void test_warp(const Table& table, int64_t h, int64_t w, int64_t c, Border border, double reach, bool bends,
               Random& random) {
    Field field(h, w, reach, bends, random);
    field.map.border = border;
    const std::string context =
        striate::concat(table.isa, " (", h, ", ", w, ", ", c, ") border ", int(border), " reach ", reach);
    // Values that differ by little from pixel to pixel, so that a place may be rounded.
    std::vector<float> source((h + 1) * (w + 1) * c);
    for (int64_t y = 0; y <= h; ++y)
        for (int64_t x = 0; x <= w; ++x)
            for (int64_t k = 0; k < c; ++k)
                source[(y * (w + 1) + x) * c + k] = static_cast<float>(x + 2 * y + 10 * k + random.uniform());
    std::vector<float> out(h * w * c + 1, -7.0f), again(h * w * c + 1, -7.0f);
    const WarpArgs args = {field.map, c, source.data(), out.data()};
    check::run_all(table.warp, args);
    WarpArgs pieces = args;
    pieces.out = again.data();
    run_in_pieces(table.warp, pieces, units(pieces), random);
    CHECK(out == again);
    CHECK(out.back() == -7.0f);
    // The map is linear in the source: its gradient is the transpose, so <dy, warp(s)> = <warp_backward(dy), s>.
    std::vector<float> dy(h * w * c), back((h + 1) * (w + 1) * c + 1, 0.0f);
    for (float& value : dy) value = static_cast<float>(random.uniform(-1, 1));
    back.back() = -7.0f;
    const WarpGradArgs transposed = {field.map, c, dy.data(), back.data()};
    check::run_all(table.warp_backward, transposed);
    CHECK(back.back() == -7.0f);
    double forwards = 0, backwards = 0, size = 0;
    for (size_t i = 0; i < dy.size(); ++i)
        forwards += double(dy[i]) * out[i], size += std::fabs(double(dy[i]) * out[i]);
    for (size_t i = 0; i < source.size(); ++i) backwards += double(back[i]) * source[i];
    CHECK_CLOSE(forwards, backwards, 1e-5 * (1 + size), context + " transposed");
    std::vector<int32_t> chosen(h * w + 1, -7);
    const NearestArgs nearest = {field.map, chosen.data()};
    run_in_pieces(table.nearest_pixels, nearest, units(nearest), random);
    CHECK(chosen.back() == -7);
    for (int64_t y = 0; y < h; ++y)
        for (int64_t x = 0; x < w; ++x) {
            const double column = field.column(x, y), row = field.row(x, y);
            const auto x0 = static_cast<int64_t>(std::floor(column)), y0 = static_cast<int64_t>(std::floor(row));
            const double fx = column - x0, fy = row - y0;
            const double unsure = 1e-5 * (1 + std::fabs(column) + std::fabs(row));
            if (std::min({fx, fy, 1 - fx, 1 - fy}) < unsure) continue;  // may fall to either side
            for (int64_t k = 0; k < c; ++k) {
                double want = 0;
                for (int corner = 0; corner < 4; ++corner) {
                    const int64_t cx = inside(x0 + corner % 2, w, border), cy = inside(y0 + corner / 2, h, border);
                    want +=
                        (corner % 2 ? fx : 1 - fx) * (corner / 2 ? fy : 1 - fy) * source[(cy * (w + 1) + cx) * c + k];
                }
                CHECK_CLOSE(out[(y * w + x) * c + k], want, (1e-6 + unsure) * (w + 2 * h + 10 * c), context);
            }
            if (std::fabs(fx - 0.5) < unsure || std::fabs(fy - 0.5) < unsure) continue;
            const int64_t cx = inside(x0 + (fx >= 0.5), w, border), cy = inside(y0 + (fy >= 0.5), h, border);
            CHECK(chosen[y * w + x] == (cx == w || cy == h ? -1 : cy * w + cx));
        }
}

void test_shade(const Table& table, int64_t pixels, int64_t c, bool bytes, Random& random) {
    const int64_t size = pixels * c;
    const std::string context = striate::concat(table.isa, " shade ", pixels, " x ", c);
    std::vector<float> x(size), scale(c + kShadeGroup), shift(c + kShadeGroup), out(size + 1, -7.0f);
    std::vector<uint8_t> small(size + 1, 77);
    for (float& value : x) value = static_cast<float>(random.uniform(0, 255));
    for (int64_t i = 0; i < c + kShadeGroup; ++i) {
        scale[i] = i < c ? static_cast<float>(random.uniform(0.5, 1.5)) : scale[i - c];
        shift[i] = i < c ? static_cast<float>(random.uniform(-20, 20)) : shift[i - c];
    }
    ShadeArgs args = {size,  c,    x.data(), scale.data(), shift.data(), 30.0f, {1, uint64_t{3} << 40, 5},
                      bytes, 0.0f, 255.0f,   out.data(),   nullptr};
    if (bytes) args.floats = nullptr, args.bytes = small.data();
    run_in_pieces(table.shade, args, units(args), random);
    CHECK(out.back() == -7.0f);
    CHECK(small.back() == 77);
    for (int64_t i = 0; i < size; ++i) {
        // The words of element e: see args_random.hpp; a pair of 32 apart makes two numbers.
        const auto word = [&](int64_t e) {
            const auto block = static_cast<uint64_t>(i / 64 * 16 + e % 16);
            return striate::philox(1, args.source.stream, block | uint64_t{5} << 32)[e / 16];
        };
        const double radius = std::sqrt(-2 * std::log(((word(i % 32) >> 8) + 0.5) * 0x1p-24));
        const double angle = word(i % 32 + 32) * (6.283185307179586 * 0x1p-32);
        const double normal = radius * (i % 64 < 32 ? std::cos(angle) : std::sin(angle));
        double want = double(x[i]) * scale[i % c] + shift[i % c] + 30 * normal;
        if (bytes) want = std::clamp(want, 0.0, 255.0);
        CHECK_CLOSE(bytes ? small[i] : out[i], want, bytes ? 0.5 + 1e-4 : 2e-4, context);
    }
}

// The known answers of Random123, the authors' own code, for Philox4x64-10.
TEST_CASE("Philox4x64-10 gives the known answers of Random123") {
    using Words = std::array<uint64_t, 4>;
    CHECK(striate::philox4x64({0, 0}, {0, 0, 0, 0}) ==
          (Words{0x16554d9eca36314c, 0xdb20fe9d672d0fdc, 0xd7e772cee186176b, 0x7e68b68aec7ba23b}));
    CHECK(striate::philox4x64({~0ull, ~0ull}, {~0ull, ~0ull, ~0ull, ~0ull}) ==
          (Words{0x87b092c3013fe90b, 0x438c3c67be8d0224, 0x9cc7d7c69cd777b6, 0xa09caebf594f0ba0}));
}

// A whole epoch by way of the C++ classes alone.
TEST_CASE("an epoch of a feed") {
    using namespace striate;
    const int64_t rows = 11, batch = 4, h = 6, w = 5, size = h * w * 2;
    std::vector<uint8_t> images(rows * size);
    std::vector<int64_t> labels(rows), order(rows);
    Random random(7);
    for (uint8_t& value : images) value = static_cast<uint8_t>(random.integer(0, 255));
    for (int64_t i = 0; i < rows; ++i) labels[i] = 100 + i, order[i] = (i * 7) % rows;
    Dataset data;
    data.inputs = {{images.data(), DType::uint8, {rows, h, w, 2}}};
    data.targets = {{labels.data(), DType::int64, {rows}}};
    Augmentation change;
    change.rotation = 30, change.flip_vertical = 0.5, change.noise = 0.1, change.elastic = 0.1, change.seed = 9;
    Feed feed(data, batch, change, {Follows::nothing});
    Augmenter augmenter(change, {h, w, 2}, DType::uint8);
    Drawn drawn;
    std::vector<uint8_t> want(size);
    for (uint64_t epoch = 0; epoch < 3; ++epoch) {
        feed.begin(order.data(), rows, epoch);
        for (int64_t at = 0; at < rows; at += batch) {
            const int64_t first = feed.next();
            for (int64_t i = 0; i < std::min(batch, rows - at); ++i) {
                const int64_t row = order[at + i];
                augmenter.draw(row, epoch, drawn);
                augmenter.image(images.data() + row * size, drawn, want.data());
                const Dataset& buffers = feed.buffers();
                CHECK(!std::memcmp(static_cast<const uint8_t*>(buffers.inputs[0].data) + (first + i) * size,
                                   want.data(), size));
                CHECK(static_cast<const int64_t*>(buffers.targets[0].data)[first + i] == labels[row]);
            }
        }
    }
    CHECK(feed.waited() >= 0);
    CHECK_THROWS_WITH_AS(feed.next(), Contains("is over"), ValueError);
    CHECK_THROWS_WITH_AS(Feed(data, batch, change, {}), Contains("a feed of 1 targets got 0 ways to follow"),
                         ValueError);
    CHECK_THROWS_WITH_AS(fill_mode("mirror"),
                         Contains("fill_mode must be one of auto, reflect, wrap, constant, nearest"), ValueError);
}

}  // namespace

TEST_CASE("images are warped as defined") {
    Random random(3);
    for (const Table* table : check::tables())

        for (const Border border : {Border::reflect, Border::wrap, Border::constant, Border::nearest})
            for (const auto& [h, w, c] : {std::array<int64_t, 3>{1, 1, 1}, {2, 3, 2}, {5, 16, 1}, {7, 35, 3}})
                for (const double reach : {0.5, 30.0})
                    for (const bool bends : {false, true}) test_warp(*table, h, w, c, border, reach, bends, random);
}

TEST_CASE("images are shaded as defined") {
    Random random(3);
    for (const Table* table : check::tables())

        for (const auto& [pixels, c] : {std::array<int64_t, 2>{1, 1}, {70, 1}, {50, 3}, {9, 70}, {128, 2}})
            for (const bool bytes : {false, true}) test_shade(*table, pixels, c, bytes, random);
}
