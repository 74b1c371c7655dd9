// What the kernel benchmark is made of. For every row of kernels.inc there is a function cases_<name>(kernel) that
// lists the shapes to measure; they are declared here by reading the same file, so that a kernel without a benchmark
// does not link.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "kernels/layout.hpp"
#include "kernels/table.hpp"
#include "kernels/units.hpp"
#include "striate/plan.hpp"
#include "striate/tensor.hpp"

namespace bench {

using striate::Halo;
using striate::kernels::View;

struct Size {
    int64_t n, h, w, c;
    int64_t elements() const { return n * h * w * c; }
    int64_t pixels() const { return n * h * w; }
    std::string text() const;  // "32x8x8x256", (n, h, w, c)
};

View view_of(const Size& size, const Halo& halo);

// A float32 map; `data` is its first pixel, inside the halo.
struct Map {
    View view;
    float* data;
};

// The arrays of one case: 64-byte aligned like the buffers of a plan, with the same content at every run.
class Memory {
  public:
    float* floats(int64_t count, float low = -1, float high = 1);
    double* doubles(int64_t count, double low = -1, double high = 1);
    uint8_t* bytes(int64_t count, int limit = 256);                                    // in [0, limit)
    int32_t* ints(int64_t count, int32_t limit);                                       // in [0, limit)
    int64_t* indices(int64_t count, int64_t limit);                                    // in [0, limit)
    Map map(const Size& size, const Halo& halo = {}, float low = -1, float high = 1);  // zeros in the halo

    template <class T>
    T* array(int64_t count) {  // zeros
        buffers_.emplace_back(static_cast<size_t>(count) * sizeof(T));
        return reinterpret_cast<T*>(buffers_.back().data());
    }

  private:
    double uniform();
    uint64_t integer(uint64_t limit);

    std::vector<striate::AlignedBuffer> buffers_;
    uint64_t state_ = 1;
};

// One call of a kernel, shared among the threads by units, and followed by a barrier. Each thread has `scratch` bytes
// of its own.
struct Call {
    int64_t units;
    std::function<void(int64_t begin, int64_t end, std::byte* scratch)> run;
    size_t scratch = 0;
};
using Work = std::vector<Call>;

template <class Args>
using Kernel = void (*)(const Args&, int64_t begin, int64_t end);

template <class Args>
Call call(Kernel<Args> kernel, const Args& args) {
    return {striate::kernels::units(args), [=](int64_t begin, int64_t end, std::byte*) { kernel(args, begin, end); }};
}

// `flops` counts multiply-adds twice and is 0 where memory is the limit; `bytes` is what has to be read and written
// once.
struct Case {
    std::string shape;
    double flops, bytes;
    std::function<Work(Memory&)> setup;
};
using Cases = std::vector<Case>;

constexpr double kFloat = sizeof(float), kDouble = sizeof(double);

#define STRIATE_KERNEL(name, Args) Cases cases_##name(Kernel<striate::kernels::Args> kernel);
#include "kernels/kernels.inc"
#undef STRIATE_KERNEL

}  // namespace bench
