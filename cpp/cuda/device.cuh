// What differs between nvcc and the emulator, and what kernels share.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "kernels/args.hpp"
#include "kernels/layout.hpp"

#ifdef __CUDACC__
#define STRIATE_LAUNCH(kernel, grid, block, stream, ...) (kernel<<<(grid), (block), 0, (stream)>>>(__VA_ARGS__))
// A variable of the block. `Type` may be a name of an array's type.
#define STRIATE_SHARED(Type, name) __shared__ Type name
#else
#define STRIATE_LAUNCH(kernel, grid, block, stream, ...) \
    ((void)::emulator::launch(#kernel, kernel, dim3(grid), dim3(block), stream, __VA_ARGS__))
#define STRIATE_SHARED(Type, name) \
    static char name##_site;       \
    Type& name = *static_cast<Type*>(::emulator::shared(&name##_site, sizeof(Type), alignof(Type)))
#endif
#define STRIATE_DEVICE __device__ __forceinline__

namespace striate::cuda {

using namespace striate::kernels;

constexpr int kBlock = 256;
constexpr int kWarpSize = 32;
constexpr unsigned kAllLanes = 0xffffffffu;
constexpr int64_t kMaxBlocks = 1 << 16;

inline unsigned blocks_for(int64_t count, int64_t per_block) {
    const int64_t blocks = divide_up(count, per_block);
    return static_cast<unsigned>(blocks < kMaxBlocks ? blocks : kMaxBlocks);
}

// Work on elements that do not wait for each other: Body::at(args, i) for each i < count. Numbers of 32 bits where they
// are enough, since a division of 64 bits takes about 100 instructions.
template <class Body, class Args, class Index>
__global__ void __launch_bounds__(kBlock) each_element(const Args args, Index count) {
    const Index step = static_cast<Index>(gridDim.x) * kBlock;
    for (Index i = static_cast<Index>(blockIdx.x) * kBlock + threadIdx.x; i < count; i += step) Body::at(args, i);
}

template <class Body, class Args>
void for_each(const Args& args, int64_t count, cudaStream_t stream) {
    if (count <= 0) return;
    const unsigned grid = blocks_for(count, kBlock);
    if (count < int64_t{1} << 30) {
        const auto kernel = &each_element<Body, Args, uint32_t>;
        STRIATE_LAUNCH(kernel, grid, kBlock, stream, args, static_cast<uint32_t>(count));
    } else {
        const auto kernel = &each_element<Body, Args, int64_t>;
        STRIATE_LAUNCH(kernel, grid, kBlock, stream, args, count);
    }
}

// A place of a map.
template <class I>
struct Place {
    I n, y, x, c;
};
// Of element i in the order n, y, x, c.
template <class I>
STRIATE_DEVICE Place<I> place_of(const View& v, I i) {
    Place<I> p;
    const I c = static_cast<I>(v.c), w = static_cast<I>(v.w), h = static_cast<I>(v.h);
    I rest = i / c;
    p.c = i - rest * c;
    p.x = rest % w;
    rest /= w;
    p.y = rest % h;
    p.n = rest / h;
    return p;
}
template <class I>
STRIATE_DEVICE int64_t offset_of(const View& v, const Place<I>& p) {
    return p.n * v.image + p.y * v.row + p.x * v.pixel + p.c;
}
// Along an axis of size 1 every place is the first.
template <class I>
STRIATE_DEVICE int64_t broadcast_offset(const View& v, const Place<I>& p) {
    return (v.n == 1 ? 0 : p.n * v.image) + (v.h == 1 ? 0 : p.y * v.row) + (v.w == 1 ? 0 : p.x * v.pixel) +
           (v.c == 1 ? 0 : p.c);
}

// Pixels of a map in order, without a division for each.
class PixelWalk {
  public:
    STRIATE_DEVICE PixelWalk(const View& v, int64_t pixel)
        : v_(v), x_(pixel % v.w), y_(pixel / v.w % v.h), n_(pixel / v.w / v.h) {}
    STRIATE_DEVICE int64_t offset() const { return n_ * v_.image + y_ * v_.row + x_ * v_.pixel; }
    STRIATE_DEVICE void step(int64_t count) {
        x_ += count;
        while (x_ >= v_.w) {
            x_ -= v_.w;
            if (++y_ < v_.h) continue;
            y_ = 0;
            ++n_;
        }
    }

  private:
    const View& v_;
    int64_t x_, y_, n_;
};

// A sum of many floats: a few at a time are added as floats, which then join a double.
class LongSum {
  public:
    STRIATE_DEVICE void add(float value) {
        part_ += value;
        if (++count_ == kPart) flush();
    }
    STRIATE_DEVICE double total() {
        flush();
        return total_;
    }

  private:
    static constexpr int kPart = 32;
    STRIATE_DEVICE void flush() {
        total_ += part_;
        part_ = 0;
        count_ = 0;
    }
    double total_ = 0;
    float part_ = 0;
    int count_ = 0;
};

// Sums and maxima over the lanes of a warp, in a fixed order; every lane gets them.
template <class T>
STRIATE_DEVICE T warp_sum(T value) {
    for (int lanes = kWarpSize / 2; lanes > 0; lanes /= 2) value += __shfl_xor_sync(kAllLanes, value, lanes);
    return value;
}
STRIATE_DEVICE float warp_max(float value) {
    for (int lanes = kWarpSize / 2; lanes > 0; lanes /= 2) {
        const float other = __shfl_xor_sync(kAllLanes, value, lanes);
        value = !(other <= value) && value == value ? other : value;  // a NaN stays
    }
    return value;
}

// The sum over a block of kBlock threads, in a fixed order; every thread gets it. All threads of the block call it.
STRIATE_DEVICE double block_sum(double value) {
    using Parts = double[kBlock / kWarpSize];
    STRIATE_SHARED(Parts, parts);
    value = warp_sum(value);
    __syncthreads();  // the last call's parts were read
    if (threadIdx.x % kWarpSize == 0) parts[threadIdx.x / kWarpSize] = value;
    __syncthreads();
    double total = 0;
    for (int i = 0; i < kBlock / kWarpSize; ++i) total += parts[i];
    return total;
}

STRIATE_DEVICE float relu_of(float x) {
    return x < 0.0f ? 0.0f : x;  // NaN passes
}

// A kernel that every chip with code of the plugin has.
using ChipCheck = void (*)(const FillArgs, uint32_t);
ChipCheck chip_check_kernel();

// Each row of the table that the plugin has: kernels.inc says what they compute. A launcher starts its kernels on the
// stream and returns.
#define STRIATE_DEVICE_KERNEL(name, Args) void name(const Args& args, cudaStream_t stream);
#include "device_kernels.inc"
#undef STRIATE_DEVICE_KERNEL

}  // namespace striate::cuda
