// CUDA's runtime on memory of the host that is closed except while kernels and copies run.
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <vector>

#include "emulator.hpp"

namespace emulator {

using Work = std::function<cudaError_t()>;
struct Graph {
    std::vector<Work> work;
};
struct Stream {
    std::deque<Work> work;  // until someone waits
    bool captures = false;  // then, what is asked for becomes part of a graph
    std::vector<Work> captured;

    void add(Work one) {
        if (captures) {
            captured.push_back(std::move(one));
        } else {
            work.push_back(std::move(one));
        }
    }
};

namespace {

constexpr size_t kSpace = size_t{1} << 37;  // of addresses
constexpr size_t kPage = 4096;
constexpr size_t kAlign = 64;  // of an allocation, whose end is at a closed page if its size is a multiple of this

struct Allocation {
    std::byte* pages;
    size_t page_bytes;  // with the closed page
    size_t bytes;
};

size_t number_of(const char* variable, size_t otherwise) {
    const char* const text = std::getenv(variable);
    return text && *text ? std::strtoull(text, nullptr, 10) : otherwise;
}

struct Runtime {
    std::recursive_mutex mutex;
    std::byte* space = nullptr;
    std::map<std::byte*, Allocation> allocations;  // by their first byte
    std::map<std::byte*, size_t> holes;            // freed pages, by their first
    size_t used_space = size_t{1} << 26;           // a pointer a little before an allocation is one of the device too
    size_t allocated = 0;
    std::map<std::byte*, size_t> pinned;
    std::set<Stream*> streams;
    std::set<Graph*> graphs;
    cudaError_t sticky = cudaSuccess, last = cudaSuccess;
    std::string text;  // of the last failure of a kernel
    long calls = 0;
    int fail_after = 0, fail_with = 0;
};

Runtime& runtime() {
    static Runtime& all = *new Runtime;
    return all;
}

using Lock = std::lock_guard<std::recursive_mutex>;

cudaError_t note(cudaError_t error) {
    Runtime& r = runtime();
    if (error != cudaSuccess) r.last = error;
    const bool stays = error == cudaErrorIllegalAddress || error == cudaErrorLaunchFailure ||
                       error == cudaErrorAssert || error == cudaErrorHardwareStackError ||
                       error == cudaErrorMisalignedAddress;
    if (stays) r.sticky = error;
    return error;
}

// At the head of every function: errors that stay, and those that a test asked for.
cudaError_t begin() {
    Runtime& r = runtime();
    ++r.calls;
    if (r.sticky != cudaSuccess) return r.sticky;
    if (r.fail_after > 0 && --r.fail_after == 0) {
        r.text = "as a test asked for";
        return note(static_cast<cudaError_t>(r.fail_with));
    }
    return cudaSuccess;
}

#define EMULATOR_BEGIN                                             \
    const Lock lock(runtime().mutex);                              \
    if (const cudaError_t early = begin(); early != cudaSuccess) { \
        return early;                                              \
    }

// Device memory is open while this lives.
class Open {
  public:
    Open() { protect(PROT_READ | PROT_WRITE); }
    ~Open() { protect(PROT_NONE); }

  private:
    static void protect(int access) {
        for (const auto& [place, a] : runtime().allocations) mprotect(a.pages, a.page_bytes - kPage, access);
    }
};

// The allocation that these bytes are in, or null.
const Allocation* allocation_of(const void* memory, size_t bytes) {
    Runtime& r = runtime();
    auto* const place = static_cast<std::byte*>(const_cast<void*>(memory));
    auto it = r.allocations.upper_bound(place);
    if (it == r.allocations.begin()) return nullptr;
    --it;
    return place + bytes <= it->first + it->second.bytes ? &it->second : nullptr;
}

bool is_pinned(const void* memory) {
    Runtime& r = runtime();
    auto* const place = static_cast<std::byte*>(const_cast<void*>(memory));
    auto it = r.pinned.upper_bound(place);
    if (it == r.pinned.begin()) return false;
    --it;
    return place < it->first + it->second;
}

bool in_space(uint64_t address) {
    const auto first = reinterpret_cast<uint64_t>(runtime().space);
    return runtime().space && address >= first && address < first + kSpace;
}

bool mapped(uint64_t address) {
    unsigned char state = 0;
    return mincore(reinterpret_cast<void*>(address / kPage * kPage), kPage, &state) == 0;
}

cudaError_t drain(Stream& stream) {
    if (stream.captures) {
        runtime().text = "a wait for a stream that is captured";
        return note(cudaErrorStreamCaptureUnsupported);
    }
    if (stream.work.empty()) return cudaSuccess;
    const Open open;
    while (!stream.work.empty()) {
        const auto work = std::move(stream.work.front());
        stream.work.pop_front();
        if (const cudaError_t error = note(work()); error != cudaSuccess) {
            stream.work.clear();
            return error;
        }
    }
    return cudaSuccess;
}

cudaError_t drain_all() {
    for (Stream* stream : runtime().streams)
        if (const cudaError_t error = drain(*stream); error != cudaSuccess) return error;
    return cudaSuccess;
}

// Where `bytes` of pages are free.
std::byte* take_pages(size_t bytes) {
    Runtime& r = runtime();
    for (auto it = r.holes.begin(); it != r.holes.end(); ++it)
        if (it->second == bytes) {
            std::byte* const found = it->first;
            r.holes.erase(it);
            return found;
        }
    if (!r.space) {
        void* const space = mmap(nullptr, kSpace, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (space == MAP_FAILED) return nullptr;
        r.space = static_cast<std::byte*>(space);
    }
    if (r.used_space + bytes > kSpace) return nullptr;
    std::byte* const found = r.space + r.used_space;
    r.used_space += bytes;
    return found;
}

}  // namespace

bool holds_host_pointer(const void* argument, size_t bytes, size_t before, const char* kernel) {
    const Lock lock(runtime().mutex);
    for (size_t at = 0; at + 8 <= bytes; at += 8) {
        uint64_t word = 0;
        std::memcpy(&word, static_cast<const std::byte*>(argument) + at, 8);
        if (word >> 32 == 0 || word >> 47 != 0 || in_space(word) || is_pinned(reinterpret_cast<void*>(word)) ||
            !mapped(word))
            continue;
        runtime().text =
            std::string(kernel) + ": argument bytes " + std::to_string(before + at) + " hold a pointer to host memory";
        note(cudaErrorLaunchFailure);
        return true;
    }
    return false;
}

cudaError_t enqueue(std::unique_ptr<Call> call, size_t argument_bytes, dim3 grid, dim3 block, cudaStream_t stream,
                    const char* kernel) {
    EMULATOR_BEGIN
    const size_t threads = static_cast<size_t>(block.x) * block.y * block.z;
    const char* wrong = argument_bytes > kMaxArguments              ? "over 4096 bytes of arguments"
                        : threads == 0 || threads > 1024            ? "a block of no or of over 1024 threads"
                        : grid.x == 0 || grid.y == 0 || grid.z == 0 ? "an empty grid"
                        : grid.y > 65535 || grid.z > 65535          ? "a grid of over 65535 along y or z"
                        : !stream                                   ? "the legacy default stream"
                                                                    : nullptr;
    if (wrong) {
        runtime().text = std::string(kernel) + ": " + wrong;
        return note(cudaErrorInvalidConfiguration);
    }
    const std::shared_ptr<const Call> kept = std::move(call);
    stream->add([=] {
        std::string failure;
        const cudaError_t error = run_grid(*kept, grid, block, kernel, failure);
        if (error != cudaSuccess) runtime().text = failure;
        return error;
    });
    return cudaSuccess;
}

}  // namespace emulator

using namespace emulator;

extern "C" {

const char* cudaGetErrorName(cudaError_t error) {
    switch (error) {
        case cudaSuccess:
            return "cudaSuccess";
        case cudaErrorMemoryAllocation:
            return "cudaErrorMemoryAllocation";
        case cudaErrorInsufficientDriver:
            return "cudaErrorInsufficientDriver";
        case cudaErrorNoDevice:
            return "cudaErrorNoDevice";
        case cudaErrorNoKernelImageForDevice:
            return "cudaErrorNoKernelImageForDevice";
        case cudaErrorIllegalAddress:
            return "cudaErrorIllegalAddress";
        case cudaErrorLaunchFailure:
            return "cudaErrorLaunchFailure";
        default:
            return "another error";
    }
}

// What is wrong with the kernel, where it is known.
const char* cudaGetErrorString(cudaError_t error) {
    static thread_local std::string text;
    const Lock lock(runtime().mutex);
    text = std::string("emulated ") + cudaGetErrorName(error);
    if (!runtime().text.empty()) text += ": " + runtime().text;
    return text.c_str();
}

cudaError_t cudaGetLastError() {
    const Lock lock(runtime().mutex);
    if (runtime().sticky != cudaSuccess) return runtime().sticky;
    return std::exchange(runtime().last, cudaSuccess);
}

cudaError_t cudaRuntimeGetVersion(int* version) {
    *version = 13000;
    return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int* version) {
    *version = static_cast<int>(number_of("EMULATOR_DRIVER", 13000));
    return cudaSuccess;
}

// EMULATOR_DRIVER: 0 for none, or its version; EMULATOR_DEVICES: how many.
cudaError_t cudaGetDeviceCount(int* count) {
    EMULATOR_BEGIN
    const size_t driver = number_of("EMULATOR_DRIVER", 13000);
    *count = static_cast<int>(number_of("EMULATOR_DEVICES", 1));
    if (driver < 13000) return note(cudaErrorInsufficientDriver);
    return *count == 0 ? note(cudaErrorNoDevice) : cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
    EMULATOR_BEGIN
    return static_cast<size_t>(device) < number_of("EMULATOR_DEVICES", 1) ? cudaSuccess : note(cudaErrorInvalidDevice);
}

// EMULATOR_MEMORY: bytes of all devices; EMULATOR_CHIP: the compute capability times ten.
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
    EMULATOR_BEGIN
    *properties = {};
    std::snprintf(properties->name, sizeof properties->name, "emulated GPU");
    properties->totalGlobalMem = number_of("EMULATOR_MEMORY", size_t{4} << 30);
    const auto chip = static_cast<int>(number_of("EMULATOR_CHIP", 90));
    properties->major = chip / 10, properties->minor = chip % 10;
    properties->multiProcessorCount = 2;
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
    EMULATOR_BEGIN
    *total = number_of("EMULATOR_MEMORY", size_t{4} << 30);
    *free = *total - std::min(*total, runtime().allocated);
    return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
    EMULATOR_BEGIN
    *stream = new Stream;
    runtime().streams.insert(*stream);
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    EMULATOR_BEGIN
    const cudaError_t error = drain(*stream);
    runtime().streams.erase(stream);
    delete stream;
    return error;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    EMULATOR_BEGIN
    return drain(*stream);
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
    EMULATOR_BEGIN
    if (!stream || stream->captures || !stream->work.empty()) return note(cudaErrorInvalidValue);
    stream->captures = true;
    return cudaSuccess;
}

// The stream leaves the state of capture in any case.
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
    const Lock lock(runtime().mutex);
    const bool captured = std::exchange(stream->captures, false);
    std::vector<Work> work = std::exchange(stream->captured, {});
    *graph = nullptr;
    if (!captured) return note(cudaErrorInvalidValue);
    if (const cudaError_t error = begin(); error != cudaSuccess) return error;
    *graph = new Graph{std::move(work)};
    runtime().graphs.insert(*graph);
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* made, cudaGraph_t graph, unsigned long long) {
    EMULATOR_BEGIN
    *made = new Graph(*graph);
    runtime().graphs.insert(*made);
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream) {
    EMULATOR_BEGIN
    if (!stream || runtime().graphs.count(graph) == 0) return note(cudaErrorInvalidValue);
    for (const Work& one : graph->work) stream->add(one);
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    const Lock lock(runtime().mutex);
    ++runtime().calls;
    if (runtime().graphs.erase(graph) == 0) return note(cudaErrorInvalidValue);
    delete graph;
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) {
    return cudaGraphDestroy(graph);
}

cudaError_t cudaMallocHost(void** memory, size_t bytes) {
    EMULATOR_BEGIN
    *memory = std::malloc(bytes + 1);
    if (!*memory) return note(cudaErrorMemoryAllocation);
    std::memset(*memory, 0xff, bytes);
    runtime().pinned[static_cast<std::byte*>(*memory)] = bytes;
    return cudaSuccess;
}

cudaError_t cudaFreeHost(void* memory) {
    EMULATOR_BEGIN
    const cudaError_t error = drain_all();
    runtime().pinned.erase(static_cast<std::byte*>(memory));
    std::free(memory);
    return error;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
    EMULATOR_BEGIN
    if (bytes == 0) return cudaSuccess;
    const bool up = kind == cudaMemcpyHostToDevice, down = kind == cudaMemcpyDeviceToHost;
    const bool to_ok = down ? !in_space(reinterpret_cast<uint64_t>(to)) : allocation_of(to, bytes) != nullptr;
    const bool from_ok = up ? !in_space(reinterpret_cast<uint64_t>(from)) : allocation_of(from, bytes) != nullptr;
    if (!stream || !to_ok || !from_ok) {
        runtime().text = !stream ? "the legacy default stream" : "a copy outside of what was allocated";
        return note(cudaErrorInvalidValue);
    }
    if (up && !is_pinned(from)) {  // pageable memory is copied before the call returns
        const auto* const begin = static_cast<const std::byte*>(from);
        const auto kept = std::make_shared<std::vector<std::byte>>(begin, begin + bytes);
        stream->add([=] { return std::memcpy(to, kept->data(), bytes), cudaSuccess; });
        return cudaSuccess;
    }
    stream->add([=] { return std::memcpy(to, from, bytes), cudaSuccess; });
    return down && !is_pinned(to) ? drain(*stream) : cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t stream) {
    EMULATOR_BEGIN
    if (bytes == 0) return cudaSuccess;
    if (!stream || !allocation_of(memory, bytes)) return note(cudaErrorInvalidValue);
    stream->add([=] { return std::memset(memory, value, bytes), cudaSuccess; });
    return cudaSuccess;
}

cudaError_t cudaFree(void* memory) {
    const Lock lock(runtime().mutex);  // memory is given back after an error too
    ++runtime().calls;
    if (!memory) return cudaSuccess;
    const cudaError_t error = runtime().sticky == cudaSuccess ? drain_all() : runtime().sticky;
    Runtime& r = runtime();
    const auto found = r.allocations.find(static_cast<std::byte*>(memory));
    if (found == r.allocations.end()) {
        r.text = "the release of what was not allocated";
        return note(cudaErrorInvalidValue);
    }
    const Allocation a = found->second;
    r.allocations.erase(found);
    r.allocated -= a.bytes;
    mprotect(a.pages, a.page_bytes, PROT_NONE);
    madvise(a.pages, a.page_bytes, MADV_DONTNEED);
    r.holes[a.pages] = a.page_bytes;
    return error;
}

void emulator_fail(int after, int error) {
    const Lock lock(runtime().mutex);
    runtime().fail_after = after;
    runtime().fail_with = error;
}
long emulator_calls() {
    const Lock lock(runtime().mutex);
    return runtime().calls;
}
size_t emulator_graphs() {
    const Lock lock(runtime().mutex);
    return runtime().graphs.size();
}
size_t emulator_allocated() {
    const Lock lock(runtime().mutex);
    return runtime().allocated;
}
void emulator_reset() {
    const Lock lock(runtime().mutex);
    runtime().sticky = runtime().last = cudaSuccess;
    runtime().fail_after = 0;
    runtime().text.clear();
    for (Stream* stream : runtime().streams) stream->work.clear();
}

}  // extern "C"

cudaError_t cudaMalloc(void** memory, size_t bytes) {
    EMULATOR_BEGIN
    Runtime& r = runtime();
    const size_t whole = (std::max<size_t>(bytes, 1) + kAlign - 1) / kAlign * kAlign;
    const size_t pages = (whole + kPage - 1) / kPage * kPage + kPage;
    std::byte* const place =
        r.allocated + bytes > number_of("EMULATOR_MEMORY", size_t{4} << 30) ? nullptr : take_pages(pages);
    if (!place) return note(cudaErrorMemoryAllocation);
    std::byte* const first = place + pages - kPage - whole;  // a closed page is right behind it
    mprotect(place, pages - kPage, PROT_READ | PROT_WRITE);
    std::memset(place, 0xff, pages - kPage);  // NaN
    mprotect(place, pages - kPage, PROT_NONE);
    r.allocations[first] = {place, pages, bytes};
    r.allocated += bytes;
    *memory = first;
    return cudaSuccess;
}

cudaError_t emulated_function(cudaFuncAttributes* attributes) {
    EMULATOR_BEGIN
    if (number_of("EMULATOR_CHIP", 90) < 75) return note(cudaErrorNoKernelImageForDevice);
    attributes->binaryVersion = static_cast<int>(number_of("EMULATOR_CHIP", 90));
    return cudaSuccess;
}
