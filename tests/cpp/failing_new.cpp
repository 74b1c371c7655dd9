// Replaces operator new and operator delete, in all forms: the n-th allocation after failing_new_arm(n) fails. Linked
// to test_failed_allocations, and preloaded as a shared library by tests/test_failed_allocations.py.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace {

constexpr int64_t kDisarmed = INT64_MIN;

std::atomic<int64_t> until_failure{kDisarmed};
std::atomic<int64_t> calls{0}, blocks{0};

bool fails() {
    calls.fetch_add(1, std::memory_order_relaxed);
    int64_t left = until_failure.load(std::memory_order_relaxed);
    while (left != kDisarmed)
        if (until_failure.compare_exchange_weak(left, left - 1)) return left == 1;
    return false;
}

void* allocate(std::size_t bytes, std::size_t alignment) noexcept {
    if (fails()) return nullptr;
    void* memory = nullptr;
    if (bytes == 0) bytes = 1;
    if (alignment <= alignof(std::max_align_t))
        memory = std::malloc(bytes);
    else if (posix_memalign(&memory, alignment, bytes) != 0)
        memory = nullptr;
    if (memory) blocks.fetch_add(1, std::memory_order_relaxed);
    return memory;
}

void* allocate_or_throw(std::size_t bytes, std::size_t alignment) {
    void* memory = allocate(bytes, alignment);
    if (!memory) throw std::bad_alloc();
    return memory;
}

void release(void* memory) noexcept {
    if (!memory) return;
    blocks.fetch_sub(1, std::memory_order_relaxed);
    std::free(memory);
}

constexpr std::size_t kPlain = alignof(std::max_align_t);

std::size_t value(std::align_val_t alignment) {
    return static_cast<std::size_t>(alignment);
}

}  // namespace

extern "C" {

// The n-th allocation from now on fails, counted from 1, on any thread; 0 disarms.
__attribute__((visibility("default"))) void failing_new_arm(int64_t n) {
    calls = 0;
    until_failure = n > 0 ? n : kDisarmed;
}
// Allocations since the last call of failing_new_arm().
__attribute__((visibility("default"))) int64_t failing_new_calls() {
    return calls;
}
// Blocks that are allocated and not yet released.
__attribute__((visibility("default"))) int64_t failing_new_blocks() {
    return blocks;
}

}  // extern "C"

#define STRIATE_VISIBLE __attribute__((visibility("default")))

STRIATE_VISIBLE void* operator new(std::size_t n) {
    return allocate_or_throw(n, kPlain);
}
STRIATE_VISIBLE void* operator new[](std::size_t n) {
    return allocate_or_throw(n, kPlain);
}
STRIATE_VISIBLE void* operator new(std::size_t n, std::align_val_t a) {
    return allocate_or_throw(n, value(a));
}
STRIATE_VISIBLE void* operator new[](std::size_t n, std::align_val_t a) {
    return allocate_or_throw(n, value(a));
}
STRIATE_VISIBLE void* operator new(std::size_t n, const std::nothrow_t&) noexcept {
    return allocate(n, kPlain);
}
STRIATE_VISIBLE void* operator new[](std::size_t n, const std::nothrow_t&) noexcept {
    return allocate(n, kPlain);
}
STRIATE_VISIBLE void* operator new(std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
    return allocate(n, value(a));
}
STRIATE_VISIBLE void* operator new[](std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
    return allocate(n, value(a));
}

STRIATE_VISIBLE void operator delete(void* p) noexcept {
    release(p);
}
STRIATE_VISIBLE void operator delete[](void* p) noexcept {
    release(p);
}
STRIATE_VISIBLE void operator delete(void* p, std::size_t) noexcept {
    release(p);
}
STRIATE_VISIBLE void operator delete[](void* p, std::size_t) noexcept {
    release(p);
}
STRIATE_VISIBLE void operator delete(void* p, std::align_val_t) noexcept {
    release(p);
}
STRIATE_VISIBLE void operator delete[](void* p, std::align_val_t) noexcept {
    release(p);
}
STRIATE_VISIBLE void operator delete(void* p, std::size_t, std::align_val_t) noexcept {
    release(p);
}
STRIATE_VISIBLE void operator delete[](void* p, std::size_t, std::align_val_t) noexcept {
    release(p);
}
STRIATE_VISIBLE void operator delete(void* p, const std::nothrow_t&) noexcept {
    release(p);
}
STRIATE_VISIBLE void operator delete[](void* p, const std::nothrow_t&) noexcept {
    release(p);
}
STRIATE_VISIBLE void operator delete(void* p, std::align_val_t, const std::nothrow_t&) noexcept {
    release(p);
}
STRIATE_VISIBLE void operator delete[](void* p, std::align_val_t, const std::nothrow_t&) noexcept {
    release(p);
}
