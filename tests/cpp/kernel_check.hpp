// What the kernel tests share: maps of random layout, and running a kernel both in one piece and in many.
#pragma once

#include "check.hpp"
#include "kernels/units.hpp"
#include "striate/error.hpp"

namespace check {

using striate::kernels::Table;

struct Size {
    int64_t n, h, w, c;
    std::string text() const { return striate::concat("(", n, ", ", h, ", ", w, ", ", c, ")"); }
};

// Sizes that meet whole vectors, tails, several narrow pixels a vector, single pixels, and many chunks.
inline std::vector<Size> sizes() {
    return {{1, 1, 1, 1},   {2, 3, 5, 1},   {3, 4, 7, 3},  {2, 5, 3, 6},   {1, 9, 8, 16},
            {2, 3, 4, 17},  {2, 2, 3, 33},  {1, 3, 2, 70}, {64, 1, 1, 10}, {5, 1, 1, 1000},
            {1, 1, 33, 48}, {2, 1, 3, 600}, {3, 40, 41, 5}};
}

// So many, or a share of them where an emulator runs the kernels.
inline int64_t many(int64_t count, [[maybe_unused]] int64_t share = 4) {
#ifdef STRIATE_TEST_DEVICE_KERNELS
    return count / share;
#else
    return count;
#endif
}

// A map in one of the layouts that the planner makes: in one run, with a halo, beside other channels, or both.
inline Map map_of(const Size& s, Random& random) {
    const int64_t choice = random.integer(0, 3);
    return Map(s.n, s.h, s.w, s.c, choice & 1 ? random.integer(1, 2) : 0, choice & 2 ? random.integer(1, 5) : 0,
               -77.0f);
}

template <class Args>
void run_all(void (*kernel)(const Args&, int64_t, int64_t), const Args& args) {
    kernel(args, 0, units(args));
}

// Runs a kernel over all its units at once, then cut up and out of order; both must give the same bits and stay within
// the views. Outputs must not be inputs.
template <class Args>
void run_twice(void (*kernel)(const Args&, int64_t, int64_t), const Args& args, std::vector<Map*> outputs,
               Random& random, const std::string& context) {
    run_all(kernel, args);
    std::vector<Map> whole;
    for (Map* output : outputs) {
        CHECK_MESSAGE(output->intact(), "wrote outside its view: ", context);
        whole.push_back(*output);
        output->fill(12345);
    }
    run_in_pieces(kernel, args, units(args), random);
    for (size_t i = 0; i < outputs.size(); ++i)
        CHECK_MESSAGE(outputs[i]->same_values(whole[i]), "depends on how it is split: ", context);
}

// |got - want| <= tolerance * (1 + |want|)
inline double allowed(double want, double tolerance) {
    const double scaled = tolerance * (1 + std::fabs(want));
    return std::isfinite(scaled) ? scaled : 0;
}
#define CHECK_NEAR(got, want, tolerance, context)                                   \
    do {                                                                            \
        const double near_want = (want);                                            \
        CHECK_CLOSE(got, near_want, check::allowed(near_want, tolerance), context); \
    } while (false)

}  // namespace check
