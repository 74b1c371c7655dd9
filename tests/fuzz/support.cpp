#include "support.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "striate/error.hpp"
#include "striate/layer.hpp"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/allocator_interface.h>
#define FUZZ_WATCHES_MEMORY 1
#endif
#endif

// Limits of the run that hold however the program is started.
extern "C" const char* __asan_default_options() {
    return "detect_leaks=1:allocator_may_return_null=1:max_allocation_size_mb=4096";
}

namespace fuzz {
namespace {

constexpr int64_t kSmall = 1 << 16;        // elements of weights and activations
constexpr int64_t kSmallWork = 1 << 20;    // multiply-adds
constexpr int64_t kFixedBytes = 64 << 10;  // tables that do not grow with the input

std::atomic<int64_t> live{0}, peak{0};

#ifdef FUZZ_WATCHES_MEMORY
void on_malloc(const volatile void*, size_t bytes) {
    const int64_t now = live += static_cast<int64_t>(bytes);
    if (now > peak) peak = now;
}
void on_free(const volatile void* memory) {
    if (memory) live -= static_cast<int64_t>(__sanitizer_get_allocated_size(const_cast<const void*>(memory)));
}
[[maybe_unused]] const int installed = __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
#endif

}  // namespace

MemoryFile::MemoryFile() : descriptor_(memfd_create("fuzz", MFD_CLOEXEC)) {
    check(descriptor_ >= 0, "memfd_create failed");
    path_ = "/proc/self/fd/" + std::to_string(descriptor_);
}

const std::string& MemoryFile::put(const void* data, size_t bytes) {
    check(pwrite(descriptor_, data, bytes, 0) == static_cast<ssize_t>(bytes), "writing the file in memory failed");
    check(ftruncate(descriptor_, static_cast<off_t>(bytes)) == 0, "cutting the file in memory failed");
    return path_;
}

MemoryBound::MemoryBound(size_t input_bytes) : limit_(100 * static_cast<int64_t>(input_bytes) + kFixedBytes) {
    limit_ += live;
    peak = live.load();
}

MemoryBound::~MemoryBound() {
    if (peak > limit_) std::fprintf(stderr, "peak of memory %lld bytes over the limit\n", (long long)(peak - limit_));
    check(peak <= limit_, "memory out of proportion to the input");
}

bool is_small(const striate::Graph& graph) {
    int64_t elements = 0;
    for (const striate::Graph::LayerEntry& entry : graph.layers)
        for (const striate::Parameter& p : entry.layer->parameters(graph.input_shapes(entry.first_node))) {
            const int64_t count = striate::element_count(p.shape);
            if (count > kSmall || (elements += count) > kSmall) return false;
        }
    int64_t work = 0;
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
        const int64_t count = striate::element_count(graph.nodes[i].shape);
        if (count > kSmall || (elements += count) > kSmall) return false;
        const int64_t adds =
            graph.layers[graph.nodes[i].layer].layer->multiply_adds(graph.input_shapes(static_cast<int>(i)));
        check(adds >= 0, "a layer's work is negative");
        if (adds > kSmallWork || (work += adds) > kSmallWork) return false;
    }
    return true;
}

void exercise(striate::Model& model) {
    constexpr int64_t kRows = 2;
    const auto tensors = [&](const std::vector<striate::Shape>& shapes) {
        std::vector<striate::Tensor> made;
        for (striate::Shape shape : shapes) {
            shape.insert(shape.begin(), kRows);
            striate::Tensor& tensor = made.emplace_back(std::move(shape));
            for (int64_t i = 0; i < tensor.size(); ++i) tensor.data()[i] = static_cast<float>(i % 7) - 2.5f;
        }
        return made;
    };
    const std::vector<striate::Tensor> inputs = tensors(model.input_shapes());
    const std::vector<striate::Array> arrays(inputs.begin(), inputs.end());
    check(model.predict(arrays).size() == model.output_shapes().size(), "a number of outputs is wrong");
    (void)model.forward(arrays, true);
    const std::vector<striate::Tensor> gradients = tensors(model.output_shapes());
    (void)model.backward({gradients.begin(), gradients.end()});
}

void check(bool good, const char* what) {
    if (good) return;
    std::fprintf(stderr, "check failed: %s\n", what);
    std::abort();
}

}  // namespace fuzz
