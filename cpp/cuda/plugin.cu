// The plugin's table of functions: memory, copies and launches, and what errors mean.
#include "cuda/plugin.hpp"

#include <cstdio>
#include <cstring>
#include <mutex>

#include "device.cuh"

namespace striate::cuda {
namespace {

constexpr int kDevices = 64;  // at most
constexpr uint32_t kRows = static_cast<uint32_t>(Row::count);

// One stream a device: copies and kernels follow one another as they were asked for.
struct Opened {
    std::mutex mutex;  // while the streams are made, and while launches are recorded
    cudaStream_t stream = nullptr;
    cudaStream_t recorded = nullptr;  // on which nothing ever runs
};
Opened& opened(int32_t device) {
    static Opened* const all = new Opened[kDevices];  // never destroyed: threads may still compute
    return all[device];
}

Status status_of(cudaError_t error) {
    switch (error) {
        case cudaSuccess:
            return Status::ok;
        case cudaErrorMemoryAllocation:
            return Status::no_memory;
        case cudaErrorInsufficientDriver:
            return Status::old_driver;
        case cudaErrorNoDevice:
        case cudaErrorInvalidDevice:
            return Status::no_device;
        case cudaErrorNoKernelImageForDevice:
            return Status::old_chip;
        case cudaErrorIllegalAddress:
        case cudaErrorAssert:
        case cudaErrorHardwareStackError:
        case cudaErrorMisalignedAddress:
        case cudaErrorLaunchFailure:
            return Status::lost;
        default:
            return Status::failed;
    }
}

Status report(cudaError_t error, Failure* failure, const char* what = nullptr) {
    if (error == cudaSuccess) return Status::ok;
    std::snprintf(failure->text, sizeof failure->text, "%s%s%s (CUDA error %d)", what ? what : "", what ? ": " : "",
                  cudaGetErrorString(error), static_cast<int>(error));
    cudaGetLastError();  // errors that do not stay are no longer the last
    return status_of(error);
}

// Calls of CUDA, until one fails.
template <class... Calls>
Status all(Failure* failure, Calls... calls) {
    cudaError_t error = cudaSuccess;
    ((error == cudaSuccess ? (void)(error = calls()) : (void)0), ...);
    return report(error, failure);
}

// No driver gives the version 0, and the runtime then reports a driver that is too old.
Status count(int32_t* devices, Failure* failure) {
    int driver = 0, found = 0;
    *devices = 0;
    const cudaError_t error = cudaGetDeviceCount(&found);
    if (cudaDriverGetVersion(&driver) == cudaSuccess && driver == 0) {
        std::snprintf(failure->text, sizeof failure->text, "there is no NVIDIA driver on this machine");
        cudaGetLastError();
        return Status::no_driver;
    }
    if (error == cudaErrorInsufficientDriver) {
        int runtime = 0;
        cudaRuntimeGetVersion(&runtime);
        std::snprintf(
            failure->text, sizeof failure->text,
            "the NVIDIA driver is for CUDA %d.%d, which is older than CUDA %d.%d that striate-cuda was built with",
            driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
        cudaGetLastError();
        return Status::old_driver;
    }
    if (error != cudaSuccess) return report(error, failure, "the devices cannot be counted");
    *devices = found < kDevices ? found : kDevices;
    return Status::ok;
}

Status open(int32_t device, Chip* chip, Failure* failure) {
    Opened& o = opened(device);
    const std::lock_guard<std::mutex> lock(o.mutex);
    cudaDeviceProp properties{};
    int runtime = 0, driver = 0;
    const Status status = all(
        failure, [&] { return cudaSetDevice(device); }, [&] { return cudaGetDeviceProperties(&properties, device); },
        [&] { return cudaRuntimeGetVersion(&runtime); }, [&] { return cudaDriverGetVersion(&driver); },
        [&] {
            cudaFuncAttributes attributes{};
            return cudaFuncGetAttributes(&attributes, chip_check_kernel());
        },
        [&] { return o.stream ? cudaSuccess : cudaStreamCreateWithFlags(&o.stream, cudaStreamNonBlocking); },
        [&] { return o.recorded ? cudaSuccess : cudaStreamCreateWithFlags(&o.recorded, cudaStreamNonBlocking); });
    if (status == Status::old_chip)
        std::snprintf(failure->text, sizeof failure->text,
                      "%s has compute capability %d.%d, for which there is no code", properties.name, properties.major,
                      properties.minor);
    if (status != Status::ok) return status;
    std::snprintf(chip->name, sizeof chip->name, "%s", properties.name);
    chip->major = properties.major, chip->minor = properties.minor;
    chip->memory = properties.totalGlobalMem;
    chip->runtime = runtime, chip->driver = driver;
    return Status::ok;
}

Status allocate(int32_t device, size_t bytes, void** memory, Failure* failure) {
    const cudaStream_t stream = opened(device).stream;
    void* made = nullptr;
    const size_t some = bytes ? bytes : 1;
    const Status status = all(
        failure, [&] { return cudaSetDevice(device); }, [&] { return cudaMalloc(&made, some); },
        [&] { return cudaMemsetAsync(made, 0, some, stream); });
    if (status == Status::no_memory) {
        size_t free = 0, total = 0;
        cudaMemGetInfo(&free, &total);
        cudaGetLastError();
        std::snprintf(failure->text, sizeof failure->text,
                      "out of memory: %.1f MiB were asked for, %.1f of %.1f MiB are free; use a smaller batch",
                      static_cast<double>(bytes) / 1048576, static_cast<double>(free) / 1048576,
                      static_cast<double>(total) / 1048576);
    }
    if (status != Status::ok && made) {
        cudaFree(made);
        made = nullptr;
    }
    *memory = made;
    return status;
}

void release(int32_t device, void* memory) {
    cudaSetDevice(device);
    cudaFree(memory);
    cudaGetLastError();
}

Status clear(int32_t device, void* memory, size_t bytes, Failure* failure) {
    return all(
        failure, [&] { return cudaSetDevice(device); },
        [&] { return cudaMemsetAsync(memory, 0, bytes, opened(device).stream); });
}

// From pageable memory, which CUDA copies before it returns.
Status upload(int32_t device, void* to, const void* from, size_t bytes, Failure* failure) {
    return all(
        failure, [&] { return cudaSetDevice(device); },
        [&] { return cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, opened(device).stream); });
}

Status download(int32_t device, void* to, const void* from, size_t bytes, Failure* failure) {
    const cudaStream_t stream = opened(device).stream;
    return all(
        failure, [&] { return cudaSetDevice(device); },
        [&] { return cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream); },
        [&] { return cudaStreamSynchronize(stream); });
}

Status wait(int32_t device, Failure* failure) {
    return all(
        failure, [&] { return cudaSetDevice(device); }, [&] { return cudaStreamSynchronize(opened(device).stream); });
}

using Launcher = void (*)(const void* arguments, cudaStream_t stream);

struct Launchers {
    Launcher row[kRows] = {};
    uint8_t has[kRows] = {};
    Launchers() {
#define STRIATE_DEVICE_KERNEL(name, Args)                                     \
    row[static_cast<size_t>(Row::name)] = [](const void* p, cudaStream_t s) { \
        Args args;                                                            \
        std::memcpy(static_cast<void*>(&args), p, sizeof args);               \
        cuda::name(args, s);                                                  \
    };                                                                        \
    has[static_cast<size_t>(Row::name)] = 1;
#include "device_kernels.inc"
#undef STRIATE_DEVICE_KERNEL
    }
};
const Launchers& launchers() {
    static const Launchers all;
    return all;
}

Status launch(int32_t device, uint16_t row, const void* arguments, Failure* failure) {
    return all(
        failure, [&] { return cudaSetDevice(device); },
        [&] {
            launchers().row[row](arguments, opened(device).stream);
            return cudaGetLastError();
        });
}

// On a stream of its own: what other threads launch meanwhile is not recorded.
Status record(int32_t device, uint32_t count, const uint16_t* rows, const void* const* arguments, void** graph,
              Failure* failure) {
    Opened& o = opened(device);
    const std::lock_guard<std::mutex> lock(o.mutex);
    cudaGraph_t captured = nullptr;
    cudaGraphExec_t made = nullptr;
    *graph = nullptr;
    cudaError_t error = cudaSetDevice(device);
    if (error == cudaSuccess) error = cudaStreamBeginCapture(o.recorded, cudaStreamCaptureModeThreadLocal);
    if (error != cudaSuccess) return report(error, failure);
    for (uint32_t i = 0; i < count && error == cudaSuccess; ++i) {
        launchers().row[rows[i]](arguments[i], o.recorded);
        error = cudaGetLastError();
    }
    // A stream must leave the state of capture, whatever happened.
    const cudaError_t ended = cudaStreamEndCapture(o.recorded, &captured);
    if (error == cudaSuccess) error = ended;
    if (error == cudaSuccess) error = cudaGraphInstantiate(&made, captured, 0);
    const Status status = report(error, failure);
    if (captured) cudaGraphDestroy(captured);
    *graph = made;
    return status;
}

Status replay(int32_t device, void* graph, Failure* failure) {
    return all(
        failure, [&] { return cudaSetDevice(device); },
        [&] { return cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph), opened(device).stream); });
}

// The graph may still run: it goes when it has ended.
void drop(int32_t device, void* graph) {
    cudaSetDevice(device);
    cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph));
    cudaGetLastError();
}

#ifdef __CUDACC__
constexpr const char* kToolchain = STRIATE_CUDA_TOOLCHAIN;
#else
constexpr const char* kToolchain = STRIATE_CUDA_TOOLCHAIN " (emulated)";
#endif

constexpr uint32_t kSizes[] = {
#define STRIATE_KERNEL(name, Args) sizeof(kernels::Args),
#include "kernels/kernels.inc"
#undef STRIATE_KERNEL
};

}  // namespace
}  // namespace striate::cuda

#if defined(_WIN32)
#define STRIATE_CUDA_EXPORT extern "C" __declspec(dllexport)
#else
#define STRIATE_CUDA_EXPORT extern "C" __attribute__((visibility("default")))
#endif

STRIATE_CUDA_EXPORT const striate::cuda::Plugin* striate_cuda_plugin() {
    using namespace striate::cuda;
    static const Plugin plugin = {kLayout,   STRIATE_VERSION, kToolchain, kRows,    kSizes, launchers().has,
                                  &count,    &open,           &allocate,  &release, &clear, &upload,
                                  &download, &launch,         &record,    &replay,  &drop,  &wait};
    return &plugin;
}
