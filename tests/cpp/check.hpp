// Shared by the C++ tests: doctest, checks that it lacks, random numbers that are the same on every platform, the
// kernel tables that run on this machine, and maps with a halo that is checked.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <ostream>  // doctest prints std::string by it
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "cpu/dispatch.hpp"
#include "kernels/view.hpp"
#include "random.hpp"

using doctest::Contains;

namespace check {

// |got - want| <= tolerance; two NaN are equal, and so are two infinities of one sign.
inline bool close(double got, double want, double tolerance) {
    if (std::isnan(want) || std::isnan(got)) return std::isnan(want) && std::isnan(got);
    if (std::isinf(want) || std::isinf(got)) return got == want;
    return std::fabs(got - want) <= tolerance;
}

inline std::string difference(double got, double want, double tolerance) {
    char text[160];
    std::snprintf(text, sizeof text, "got %.9g, want %.9g, off by %.3g > %.3g", got, want, std::fabs(got - want),
                  tolerance);
    return text;
}

// Checks close(got, want, tolerance). `context` is an expression that doctest can print; it is evaluated only if the
// check fails. CHECK_MESSAGE cannot be used: it captures, and a lambda cannot capture structured bindings.
#define CHECK_CLOSE(got, want, tolerance, context)                                                                  \
    do {                                                                                                            \
        const double check_got = (got), check_want = (want), check_tolerance = (tolerance);                         \
        const bool check_close = check::close(check_got, check_want, check_tolerance);                              \
        if (check_close)                                                                                            \
            CHECK(check_close);                                                                                     \
        else                                                                                                        \
            FAIL_CHECK(#got ": ", check::difference(check_got, check_want, check_tolerance), " (", (context), ")"); \
    } while (false)

// How often a test of random cases is repeated: `count`, or the environment variable STRIATE_TEST_REPETITIONS.
inline int repetitions(int count) {
    const char* const text = std::getenv("STRIATE_TEST_REPETITIONS");
    return text ? std::atoi(text) : count;
}

// The tables whose instruction set this machine has, best first; or that of the emulated device, in tests of its
// kernels.
#ifdef STRIATE_TEST_DEVICE_KERNELS
std::vector<const striate::kernels::Table*> device_tables();
#endif
inline std::vector<const striate::kernels::Table*> tables() {
#ifdef STRIATE_TEST_DEVICE_KERNELS
    return device_tables();
#else
    std::vector<const striate::kernels::Table*> found;
    for (const auto& candidate : striate::dispatch::implementations())
        if (candidate.supported()) found.push_back(candidate.table);
    return found;
#endif
}

// Runs a kernel over its units in two ways: all at once, and cut at random places in shuffled order as threads would.
template <class Args>
void run(void (*kernel)(const Args&, int64_t, int64_t), const Args& args, int64_t units) {
    kernel(args, 0, units);
}
template <class Args>
void run_in_pieces(void (*kernel)(const Args&, int64_t, int64_t), const Args& args, int64_t units, Random& random) {
    std::vector<int64_t> cuts = {0};
    while (cuts.back() < units) cuts.push_back(std::min(units, cuts.back() + random.integer(1, 1 + units / 3)));
    std::vector<std::pair<int64_t, int64_t>> pieces;
    for (size_t i = 1; i < cuts.size(); ++i) pieces.emplace_back(cuts[i - 1], cuts[i]);
    for (size_t i = pieces.size(); i > 1; --i) std::swap(pieces[i - 1], pieces[random.integer(0, i - 1)]);
    for (const auto& [begin, end] : pieces) kernel(args, begin, end);
}

// A float32 map inside a larger buffer: `halo` pixels around every image (their content is `outside`), `extra` channels
// beside every pixel as after a concatenation. Everything outside the view is watched: intact() tells whether it
// changed.
class Map {
  public:
    Map(int64_t n, int64_t h, int64_t w, int64_t c, int64_t halo = 0, int64_t extra = 0, float outside = 0)
        : outside_(outside) {
        view.n = n, view.h = h, view.w = w, view.c = c;
        view.pixel = c + extra;
        view.row = (w + 2 * halo) * view.pixel;
        view.image = (h + 2 * halo) * view.row;
        origin_ = kGuard + halo * view.row + halo * view.pixel;
        memory_.assign(2 * kGuard + n * view.image, outside);
    }
    striate::kernels::View view;

    float* data() { return memory_.data() + origin_; }
    const float* data() const { return memory_.data() + origin_; }
    float& at(int64_t n, int64_t y, int64_t x, int64_t c) {
        return data()[n * view.image + y * view.row + x * view.pixel + c];
    }
    float at(int64_t n, int64_t y, int64_t x, int64_t c) const { return const_cast<Map*>(this)->at(n, y, x, c); }
    int64_t size() const { return view.n * view.h * view.w * view.c; }
    int64_t pixels() const { return view.n * view.h * view.w; }

    // Element `i` in the order n, y, x, c, whatever the strides.
    float& flat(int64_t i) {
        const int64_t c = i % view.c, x = i / view.c % view.w, y = i / view.c / view.w % view.h;
        return at(i / view.c / view.w / view.h, y, x, c);
    }
    float flat(int64_t i) const { return const_cast<Map*>(this)->flat(i); }

    Map& fill(float value) {
        for (int64_t i = 0; i < size(); ++i) flat(i) = value;
        return *this;
    }
    Map& random(Random& source, double low = -1, double high = 1) {
        for (int64_t i = 0; i < size(); ++i) flat(i) = static_cast<float>(source.uniform(low, high));
        return *this;
    }
    Map& integers(Random& source, int64_t low, int64_t high) {
        for (int64_t i = 0; i < size(); ++i) flat(i) = static_cast<float>(source.integer(low, high));
        return *this;
    }
    bool same_values(const Map& other) const {  // bit for bit, apart from the sign of NaN
        for (int64_t i = 0; i < size(); ++i) {
            const float a = flat(i), b = other.flat(i);
            if (!(a == b || (std::isnan(a) && std::isnan(b)))) return false;
        }
        return true;
    }
    bool intact() const {
        Map copy = *this;
        copy.fill(outside_);
        for (const float value : copy.memory_)
            if (!(value == outside_ || (std::isnan(value) && std::isnan(outside_)))) return false;
        return true;
    }

  private:
    static constexpr int64_t kGuard = 64;
    float outside_;
    int64_t origin_;
    std::vector<float> memory_;
};

}  // namespace check
