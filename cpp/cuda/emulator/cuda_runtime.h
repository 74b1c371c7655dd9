// What the plugin uses of CUDA's runtime, for a host compiler: kernels run on the CPU, one thread after another, so
// that they can be tested on any machine. It is found before CUDA's header of this name. See README.md in cpp/cuda for
// what it refuses and what it cannot find.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};
struct alignas(16) float4 {
    float x, y, z, w;
};
inline float4 make_float4(float x, float y, float z, float w) {
    return {x, y, z, w};
}

// Numbers and names are CUDA's.
enum cudaError_t {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInitializationError = 3,
    cudaErrorInvalidConfiguration = 9,
    cudaErrorInsufficientDriver = 35,
    cudaErrorNoDevice = 100,
    cudaErrorInvalidDevice = 101,
    cudaErrorNoKernelImageForDevice = 209,
    cudaErrorIllegalAddress = 700,
    cudaErrorAssert = 710,
    cudaErrorHardwareStackError = 714,
    cudaErrorMisalignedAddress = 716,
    cudaErrorLaunchFailure = 719,
    cudaErrorStreamCaptureUnsupported = 900,
    cudaErrorStreamCaptureInvalidated = 901,
    cudaErrorUnknown = 999,
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDeviceToDevice = 3 };
constexpr unsigned cudaStreamNonBlocking = 1;
struct cudaDeviceProp {
    char name[256];
    size_t totalGlobalMem;
    int major, minor;
    int multiProcessorCount;
};
namespace emulator {
struct Stream;
}
using cudaStream_t = emulator::Stream*;
namespace emulator {
struct Graph;
}
using cudaGraph_t = emulator::Graph*;
using cudaGraphExec_t = emulator::Graph*;
enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal = 1 };

extern "C" {
const char* cudaGetErrorString(cudaError_t error);
const char* cudaGetErrorName(cudaError_t error);
cudaError_t cudaGetLastError();
cudaError_t cudaRuntimeGetVersion(int* version);
cudaError_t cudaDriverGetVersion(int* version);
cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
cudaError_t cudaMemGetInfo(size_t* free, size_t* total);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* made, cudaGraph_t graph, unsigned long long flags);
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph);
cudaError_t cudaMallocHost(void** memory, size_t bytes);
cudaError_t cudaFreeHost(void* memory);
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t stream);
cudaError_t cudaFree(void* memory);
}
cudaError_t cudaMalloc(void** memory, size_t bytes);
template <class T>
cudaError_t cudaMalloc(T** memory, size_t bytes) {
    return cudaMalloc(reinterpret_cast<void**>(memory), bytes);
}

struct cudaFuncAttributes {
    int binaryVersion;
};
cudaError_t emulated_function(cudaFuncAttributes* attributes);
template <class F>
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, F*) {
    return emulated_function(attributes);
}

namespace emulator {

constexpr size_t kMaxArguments = 4096;  // bytes, as CUDA has it
constexpr size_t kMaxShared = 48 << 10;
constexpr int kWarp = 32;

struct Position {
    dim3 thread, block, block_dim, grid_dim;
};
extern Position now;  // of the thread that runs

// A place in the source, to tell whether all threads meet at the same one.
struct Site {
    const char* file;
    int line;
};
void barrier(Site site);
enum class Meeting { shuffle, shuffle_down, shuffle_xor, ballot, sync };
// A warp's lanes that `mask` names leave what they bring and get what they are to have.
void meet(Meeting what, unsigned mask, const void* in, void* out, size_t size, int argument, Site site);
template <class T>
T shuffle(Meeting what, unsigned mask, T value, int argument, Site site) {
    T result;
    meet(what, mask, &value, &result, sizeof(T), argument, site);
    return result;
}
inline unsigned ballot(unsigned mask, bool vote, Site site) {
    unsigned result = 0;
    meet(Meeting::ballot, mask, &vote, &result, sizeof vote, 0, site);
    return result;
}
// The block's memory for the variable at this place.
void* shared(const void* site, size_t bytes, size_t align);

// A call of a kernel with its arguments.
struct Call {
    virtual ~Call() = default;
    virtual void run() const = 0;
};
// Refuses arguments that hold a pointer to memory of the host.
bool holds_host_pointer(const void* argument, size_t bytes, size_t before, const char* kernel);
cudaError_t enqueue(std::unique_ptr<Call> call, size_t argument_bytes, dim3 grid, dim3 block, cudaStream_t stream,
                    const char* kernel);

template <class T>
void clear_padding([[maybe_unused]] T& value) {
#if defined(__has_builtin)
#if __has_builtin(__builtin_clear_padding)
    __builtin_clear_padding(&value);
#endif
#endif
}

template <class... P>
struct KernelCall final : Call {
    KernelCall(void (*k)(P...), const std::decay_t<P>&... a) : kernel(k), arguments(a...) {}
    void run() const override { std::apply(kernel, arguments); }
    void (*kernel)(P...);
    std::tuple<std::decay_t<P>...> arguments;
};

template <class... P, class... A>
cudaError_t launch(const char* name, void (*kernel)(P...), dim3 grid, dim3 block, cudaStream_t stream, A... given) {
    (clear_padding(given), ...);
    size_t bytes = 0;
    bool refused = false;
    ((refused = refused || holds_host_pointer(&given, sizeof given, bytes, name), bytes += sizeof given), ...);
    if (refused) return cudaErrorLaunchFailure;
    return enqueue(std::make_unique<KernelCall<P...>>(kernel, given...), bytes, grid, block, stream, name);
}

}  // namespace emulator

#define threadIdx (::emulator::now.thread)
#define blockIdx (::emulator::now.block)
#define blockDim (::emulator::now.block_dim)
#define gridDim (::emulator::now.grid_dim)
#define EMULATOR_SITE (::emulator::Site{__FILE__, __LINE__})
#define __syncthreads() ::emulator::barrier(EMULATOR_SITE)
#define __syncwarp() ::emulator::meet(::emulator::Meeting::sync, 0xffffffffu, nullptr, nullptr, 0, 0, EMULATOR_SITE)
#define __shfl_sync(mask, value, lane) \
    ::emulator::shuffle(::emulator::Meeting::shuffle, mask, value, lane, EMULATOR_SITE)
#define __shfl_down_sync(mask, value, delta) \
    ::emulator::shuffle(::emulator::Meeting::shuffle_down, mask, value, delta, EMULATOR_SITE)
#define __shfl_xor_sync(mask, value, lanes) \
    ::emulator::shuffle(::emulator::Meeting::shuffle_xor, mask, value, lanes, EMULATOR_SITE)
#define __ballot_sync(mask, vote) ::emulator::ballot(mask, vote, EMULATOR_SITE)

// CUDA's functions of numbers that the kernels use.
inline unsigned __umulhi(unsigned a, unsigned b) {
    return static_cast<unsigned>(static_cast<uint64_t>(a) * b >> 32);
}
inline float rsqrtf(float x) {
    return 1.0f / std::sqrt(x);
}
