#include "striate/random.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

#include "striate/error.hpp"

namespace striate {
namespace {

constexpr uint64_t kShuffleStream = uint64_t{0x53485546}
                                    << 32;  // apart from the streams of layers, which are small numbers

uint64_t pair(const std::array<uint32_t, 4>& words, int which) {
    return words[2 * which] | uint64_t{words[2 * which + 1]} << 32;
}

// On [0, 1) and on (0, 1], in steps of 2^-53.
double from_zero(uint64_t bits) {
    return static_cast<double>(bits >> 11) * 0x1p-53;
}
double above_zero(uint64_t bits) {
    return static_cast<double>((bits >> 11) + 1) * 0x1p-53;
}

std::pair<double, double> two_normals(uint64_t seed, uint64_t stream, uint64_t counter) {
    const std::array<uint32_t, 4> words = philox(seed, stream, counter);
    const double radius = std::sqrt(-2 * std::log(above_zero(pair(words, 0))));
    const double angle = 2 * std::numbers::pi * from_zero(pair(words, 1));
    return {radius * std::cos(angle), radius * std::sin(angle)};
}

double truncated_normal(uint64_t seed, uint64_t stream, uint64_t index) {
    for (uint64_t attempt = 0;; ++attempt) {
        const auto [first, second] = two_normals(seed, stream, index | attempt << 48);
        if (std::fabs(first) <= 2) return first;
        if (std::fabs(second) <= 2) return second;
    }
}

// Unbiased draws below a bound, one after the other (Lemire, 2019).
class Draws {
  public:
    Draws(uint64_t seed, uint64_t stream) : seed_(seed), stream_(stream) {}

    uint64_t below(uint64_t bound) {
        Wide product = Wide{next()} * bound;
        if (static_cast<uint64_t>(product) < bound) {
            const uint64_t threshold = -bound % bound;
            while (static_cast<uint64_t>(product) < threshold) product = Wide{next()} * bound;
        }
        return static_cast<uint64_t>(product >> 64);
    }

  private:
    __extension__ using Wide = unsigned __int128;

    uint64_t next() {
        if (drawn_ % 2 == 0) words_ = philox(seed_, stream_, drawn_ / 2);
        return pair(words_, static_cast<int>(drawn_++ % 2));
    }

    uint64_t seed_, stream_, drawn_ = 0;
    std::array<uint32_t, 4> words_{};
};

}  // namespace

std::array<uint32_t, 4> philox(uint64_t seed, uint64_t stream, uint64_t counter) {
    std::array<uint32_t, 4> x = {static_cast<uint32_t>(counter), static_cast<uint32_t>(counter >> 32),
                                 static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32)};
    uint32_t key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
    for (int round = 0; round < 10; ++round) {
        const uint64_t a = uint64_t{0xD2511F53u} * x[0], b = uint64_t{0xCD9E8D57u} * x[2];
        x = {static_cast<uint32_t>(b >> 32) ^ x[1] ^ key0, static_cast<uint32_t>(b),
             static_cast<uint32_t>(a >> 32) ^ x[3] ^ key1, static_cast<uint32_t>(a)};
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    return x;
}

std::array<uint64_t, 4> philox4x64(std::array<uint64_t, 2> key, std::array<uint64_t, 4> x) {
    __extension__ using Wide = unsigned __int128;
    for (int round = 0; round < 10; ++round) {
        const Wide a = Wide{0xD2E7470EE14C6C93u} * x[0], b = Wide{0xCA5A826395121157u} * x[2];
        x = {static_cast<uint64_t>(b >> 64) ^ x[1] ^ key[0], static_cast<uint64_t>(b),
             static_cast<uint64_t>(a >> 64) ^ x[3] ^ key[1], static_cast<uint64_t>(a)};
        key[0] += 0x9E3779B97F4A7C15u;
        key[1] += 0xBB67AE8584CAA73Bu;
    }
    return x;
}

void fill_uniform(float* out, int64_t size, double low, double high, uint64_t seed, uint64_t stream) {
    // Rounding to float may reach `high`, which is not in the interval.
    const float last =
        low < high ? std::nextafter(static_cast<float>(high), static_cast<float>(low)) : static_cast<float>(low);
    std::array<uint32_t, 4> words{};
    for (int64_t i = 0; i < size; ++i) {
        if (i % 2 == 0) words = philox(seed, stream, static_cast<uint64_t>(i / 2));
        out[i] =
            std::min(static_cast<float>(low + (high - low) * from_zero(pair(words, static_cast<int>(i % 2)))), last);
    }
}

void fill_normal(float* out, int64_t size, double mean, double standard_deviation, uint64_t seed, uint64_t stream) {
    for (int64_t i = 0; i < size; i += 2) {
        const auto [first, second] = two_normals(seed, stream, static_cast<uint64_t>(i / 2));
        out[i] = static_cast<float>(mean + standard_deviation * first);
        if (i + 1 < size) out[i + 1] = static_cast<float>(mean + standard_deviation * second);
    }
}

void fill_truncated_normal(float* out, int64_t size, double mean, double standard_deviation, uint64_t seed,
                           uint64_t stream) {
    for (int64_t i = 0; i < size; ++i)
        out[i] =
            static_cast<float>(mean + standard_deviation * truncated_normal(seed, stream, static_cast<uint64_t>(i)));
}

std::vector<int64_t> permutation(uint64_t seed, uint64_t epoch, int64_t size) {
    require(size >= 0, "permutation: the size must not be negative, got ", size);
    std::vector<int64_t> order(static_cast<size_t>(size));
    std::iota(order.begin(), order.end(), int64_t{0});
    Draws draws(seed, kShuffleStream | (epoch & 0xffffffffu));
    for (int64_t i = size - 1; i > 0; --i)
        std::swap(order[static_cast<size_t>(i)], order[draws.below(static_cast<uint64_t>(i) + 1)]);
    return order;
}

}  // namespace striate
