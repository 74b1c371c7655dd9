// What the C++ tests share: checks that count failures and name the place, counter-free random numbers, the kernel
// tables that run on this machine, and haloed maps whose surroundings are watched.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "cpu/dispatch.hpp"
#include "kernels/view.hpp"

namespace check {

inline int failures = 0;

inline void fail(const char* file, int line, const std::string& what) {
    if (++failures <= 50) std::fprintf(stderr, "%s:%d: %s\n", file, line, what.c_str());
}

// The test's exit status: `int main() { ...; return check::finish(); }`.
inline int finish() {
    if (failures) std::fprintf(stderr, "%d checks failed\n", failures);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}

#define CHECK(condition)                                                         \
    do {                                                                         \
        if (!(condition)) check::fail(__FILE__, __LINE__, "false: " #condition); \
    } while (false)

// |got - want| <= tolerance; two NaN are equal, and so are two infinities of one sign. `context` is any string
// expression.
#define CHECK_CLOSE(got, want, tolerance, context)                                          \
    do {                                                                                    \
        const double check_got = (got), check_want = (want), check_tolerance = (tolerance); \
        if (!check::close(check_got, check_want, check_tolerance))                          \
            check::fail(__FILE__, __LINE__,                                                 \
                        std::string(#got " is ") + std::to_string(check_got) + ", want " +  \
                            std::to_string(check_want) + ", off by " +                      \
                            check::short_form(std::fabs(check_got - check_want)) + " > " +  \
                            check::short_form(check_tolerance) + " (" + (context) + ")");   \
    } while (false)

// The statement throws `Type` and its message contains `text`.
#define CHECK_THROWS(statement, Type, text)                                                           \
    do {                                                                                              \
        bool check_thrown = false;                                                                    \
        try {                                                                                         \
            statement;                                                                                \
        } catch (const Type& error) {                                                                 \
            check_thrown = true;                                                                      \
            if (std::string(error.what()).find(text) == std::string::npos)                            \
                check::fail(__FILE__, __LINE__,                                                       \
                            std::string("message is '") + error.what() + "', want '" + (text) + "'"); \
        }                                                                                             \
        if (!check_thrown) check::fail(__FILE__, __LINE__, #statement " did not throw " #Type);       \
    } while (false)

inline bool close(double got, double want, double tolerance) {
    if (std::isnan(want) || std::isnan(got)) return std::isnan(want) && std::isnan(got);
    if (std::isinf(want) || std::isinf(got)) return got == want;
    return std::fabs(got - want) <= tolerance;
}

inline std::string short_form(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.3g", value);
    return text;
}

// splitmix64 (Steele, Lea, Flood 2014): the same numbers on every platform.
class Random {
  public:
    explicit Random(uint64_t seed) : state_(seed) {}
    uint64_t bits() {
        uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }
    double uniform(double low = 0, double high = 1) { return low + (high - low) * ((bits() >> 11) * 0x1p-53); }
    int64_t integer(int64_t low, int64_t high) { return low + static_cast<int64_t>(bits() % (high - low + 1)); }
    double normal() { return std::sqrt(-2 * std::log(1 - uniform())) * std::cos(6.283185307179586 * uniform()); }

  private:
    uint64_t state_;
};

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
