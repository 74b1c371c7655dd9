// The emulator finds bugs: each kernel here has one, and each is to be reported, by name where there is one.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <string>
#include <vector>

#include "check.hpp"
#include "device.cuh"
#include "emulator.hpp"

namespace {

using striate::cuda::kAllLanes;

struct Buffers {
    float* a;
    float* b;
    int64_t count;
};

__global__ void doubles(const Buffers p) {
    const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (i < p.count) p.b[i] = 2 * p.a[i];
}

using Line = float[256];

// Each thread takes what its next thread stored.
__global__ void turns(const Buffers p) {
    STRIATE_SHARED(Line, line);
    const unsigned t = threadIdx.x;
    line[t] = p.a[t];
    __syncthreads();
    p.b[t] = line[(t + 1) % blockDim.x];
}
__global__ void turns_without_barrier(const Buffers p) {
    STRIATE_SHARED(Line, line);
    const unsigned t = threadIdx.x;
    line[t] = p.a[t];
    p.b[t] = line[(t + 1) % blockDim.x];
}
__global__ void barrier_in_branch(const Buffers p) {
    if (threadIdx.x < 32) {
        __syncthreads();
    } else {
        p.b[threadIdx.x] = 1;
        __syncthreads();
    }
}
__global__ void barrier_for_some(const Buffers p) {
    if (threadIdx.x == 5) return;
    p.b[threadIdx.x] = 1;
    __syncthreads();
}
__global__ void shuffle_of_ended(const Buffers p) {
    if (threadIdx.x % 32 == 31) return;
    p.b[threadIdx.x] = __shfl_xor_sync(kAllLanes, p.a[threadIdx.x], 1);
}
__global__ void shuffle_of_unmasked(const Buffers p) {
    const unsigned lane = threadIdx.x % 32;
    if (lane < 16) p.b[threadIdx.x] = __shfl_down_sync(0xffffu, p.a[threadIdx.x], 8);
}
__global__ void shuffle_in_one_branch(const Buffers p) {
    float value = p.a[threadIdx.x];
    if (threadIdx.x % 2 == 0) value = __shfl_xor_sync(kAllLanes, value, 2);
    p.b[threadIdx.x] = value;
}
__global__ void sums(const Buffers p) {
    const float total = striate::cuda::warp_sum(p.a[threadIdx.x]);
    const unsigned votes = __ballot_sync(kAllLanes, p.a[threadIdx.x] > 5);
    p.b[threadIdx.x] = threadIdx.x % 32 == 1 ? static_cast<float>(votes) : total;
}
__global__ void writes_behind(const Buffers p) {
    p.b[p.count + threadIdx.x] = 1;
}
__global__ void follows_null(const Buffers p) {
    p.b[0] = *static_cast<const volatile float*>(nullptr);
}
__global__ void reads_fresh_shared(const Buffers p) {
    STRIATE_SHARED(Line, line);
    p.b[threadIdx.x] = line[threadIdx.x];
}
using Much = float[16 << 10];
__global__ void much_shared(const Buffers p) {
    STRIATE_SHARED(Much, much);
    much[threadIdx.x] = p.a[0];
    p.b[threadIdx.x] = much[threadIdx.x];
}

constexpr int64_t kCount = 64;

// Memory of the device: 0, 1, 2 ... and room for as many results; its stream.
struct Device {
    Buffers p{nullptr, nullptr, kCount};
    cudaStream_t stream = nullptr;
    std::vector<float> results = std::vector<float>(kCount);

    Device() {
        emulator_reset();
        std::vector<float> values(kCount);
        for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
        CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess);
        CHECK(cudaMalloc(&p.a, kCount * 4) == cudaSuccess);
        CHECK(cudaMalloc(&p.b, kCount * 4) == cudaSuccess);
        cudaMemcpyAsync(p.a, values.data(), kCount * 4, cudaMemcpyHostToDevice, stream);
    }
    ~Device() {
        emulator_reset();
        cudaStreamDestroy(stream);
        cudaFree(p.a);
        cudaFree(p.b);
    }
    template <class Kernel>
    cudaError_t run(Kernel kernel, unsigned threads = kCount) {
        STRIATE_LAUNCH(kernel, 1u, threads, stream, p);
        return cudaMemcpyAsync(results.data(), p.b, kCount * 4, cudaMemcpyDeviceToHost, stream);
    }
};

// `texts` are what the message may contain, apart by "|".
void refused(const char* label, void (*kernel)(const Buffers), cudaError_t error, const std::string& texts) {
    for (const char* order : {"ascending", "descending", "3"}) {
        setenv("EMULATOR_ORDER", order, 1);
        Device device;
        const cudaError_t got = device.run(kernel);
        const std::string said = cudaGetErrorString(got);
        bool found = false;
        for (size_t begin = 0; begin < texts.size() && !found;) {
            const size_t end = std::min(texts.find('|', begin), texts.size());
            found = said.find(texts.substr(begin, end - begin)) != std::string::npos;
            begin = end + 1;
        }
        CHECK_MESSAGE((got == error && found), label, ": got ", said, ", want ", texts);
        if (error == cudaErrorInvalidConfiguration) continue;
        // The device is lost for all that follows.
        CHECK(cudaStreamSynchronize(device.stream) == error);
        CHECK(cudaGetLastError() == error);
    }
    unsetenv("EMULATOR_ORDER");
}

TEST_CASE("correct kernels run in each order of threads") {
    for (const char* order : {"ascending", "descending", "3"}) {
        setenv("EMULATOR_ORDER", order, 1);
        Device device;
        CHECK(device.run(doubles) == cudaSuccess);
        CHECK(device.results[5] == 10);
        CHECK(device.run(turns) == cudaSuccess);
        for (size_t i = 0; i < kCount; ++i) CHECK(device.results[i] == static_cast<float>((i + 1) % kCount));
        CHECK(device.run(sums) == cudaSuccess);
        CHECK(device.results[0] == 496);
        CHECK(device.results[33] == 4294967296.0f);
        CHECK(device.results[1] == static_cast<float>(0xffffffffu << 6));
    }
    unsetenv("EMULATOR_ORDER");
}

// A bug that depends on the order of threads shows in at least one of three.
TEST_CASE("a missing barrier shows in one of the orders") {
    int wrong = 0;
    for (const char* order : {"ascending", "descending", "3"}) {
        setenv("EMULATOR_ORDER", order, 1);
        Device device;
        CHECK(device.run(turns_without_barrier) == cudaSuccess);
        bool right = true;
        for (size_t i = 0; i < kCount; ++i) right = right && device.results[i] == static_cast<float>((i + 1) % kCount);
        wrong += !right;
    }
    CHECK(wrong > 0);
    unsetenv("EMULATOR_ORDER");
}

TEST_CASE("memory of the device, copies and limits") {
    Device device;
    // Nothing runs before someone waits, and memory begins as NaN.
    CHECK(cudaMemcpyAsync(device.results.data(), device.p.b, kCount * 4, cudaMemcpyDeviceToHost, device.stream) ==
          cudaSuccess);
    CHECK(std::isnan(device.results[0]));
    CHECK(std::isnan(device.results[kCount - 1]));
    CHECK(device.run(reads_fresh_shared) == cudaSuccess);
    CHECK(std::isnan(device.results[3]));
    float* pinned = nullptr;
    CHECK(cudaMallocHost(reinterpret_cast<void**>(&pinned), kCount * 4) == cudaSuccess);
    pinned[1] = 7;
    STRIATE_LAUNCH(doubles, 1u, unsigned{kCount}, device.stream, device.p);
    cudaMemcpyAsync(pinned, device.p.b, kCount * 4, cudaMemcpyDeviceToHost, device.stream);
    CHECK(pinned[1] == 7);
    CHECK(cudaStreamSynchronize(device.stream) == cudaSuccess);
    CHECK(pinned[1] == 2);
    // What a pinned buffer holds when the copy takes place is what is copied.
    pinned[0] = 1;
    cudaMemcpyAsync(device.p.a, pinned, 4, cudaMemcpyHostToDevice, device.stream);
    pinned[0] = 2;
    CHECK(device.run(doubles) == cudaSuccess);
    CHECK(device.results[0] == 4);
    CHECK(cudaMemcpyAsync(device.p.a, pinned, kCount * 4 + 4, cudaMemcpyHostToDevice, device.stream) ==
          cudaErrorInvalidValue);
    CHECK(cudaFreeHost(pinned) == cudaSuccess);

    setenv("EMULATOR_MEMORY", "1000", 1);
    float* more = nullptr;
    CHECK(cudaMalloc(&more, 2000) == cudaErrorMemoryAllocation);
    CHECK(cudaGetLastError() == cudaErrorMemoryAllocation);
    CHECK(cudaGetLastError() == cudaSuccess);  // it does not stay
    unsetenv("EMULATOR_MEMORY");
}

TEST_CASE("a pointer to host memory is reported") {
    Device device;
    std::vector<float> own(kCount);
    const Buffers mixed{device.p.a, own.data(), kCount};
    STRIATE_LAUNCH(doubles, 1u, unsigned{kCount}, device.stream, mixed);
    const cudaError_t error = cudaStreamSynchronize(device.stream);
    const std::string said = cudaGetErrorString(error);
    CHECK(error == cudaErrorLaunchFailure);
    CHECK(said.find("doubles: argument bytes 8 hold a pointer to host memory") != std::string::npos);
}

// The host that follows a pointer of the device ends.
TEST_CASE("the host cannot read memory of the device") {
    Device device;
    const pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        _exit(*static_cast<volatile float*>(device.p.a) == 0 ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGSEGV);
}

TEST_CASE("failures can be ordered") {
    Device device;
    emulator_fail(2, cudaErrorMemoryAllocation);
    CHECK(cudaStreamSynchronize(device.stream) == cudaSuccess);
    CHECK(cudaStreamSynchronize(device.stream) == cudaErrorMemoryAllocation);
    CHECK(cudaStreamSynchronize(device.stream) == cudaSuccess);
}

}  // namespace

TEST_CASE("wrong kernels are reported") {
    refused("two barriers", barrier_in_branch, cudaErrorLaunchFailure, "threads of a block meet at two barriers");
    refused("a barrier for some", barrier_for_some, cudaErrorLaunchFailure, "barrier");
    refused("a shuffle of ended lanes", shuffle_of_ended, cudaErrorLaunchFailure,
            "in a warp|a warp waits for a lane that has ended");
    refused("a shuffle of unmasked lanes", shuffle_of_unmasked, cudaErrorLaunchFailure, "one that is not in the mask");
    refused("a shuffle in a branch", shuffle_in_one_branch, cudaErrorLaunchFailure,
            "in a warp|a warp waits for a lane that has ended");
    refused("a write behind an allocation", writes_behind, cudaErrorIllegalAddress,
            "touches an address that is not memory");
    refused("a null pointer", follows_null, cudaErrorIllegalAddress, "touches an address that is not memory");
    refused("much shared memory", much_shared, cudaErrorInvalidConfiguration, "more shared memory");
}

TEST_CASE("no test leaves memory of the device") {
    CHECK(emulator_allocated() == 0);
}
