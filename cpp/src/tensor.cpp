#include "striate/tensor.hpp"

#include <cstring>
#include <limits>
#include <new>

#include "striate/error.hpp"

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace striate {
namespace {

constexpr std::align_val_t kAlignment{64};

// Large maps are walked row by row with strides of many pages: huge pages keep that out of the translation buffer. A
// wish; the system may not grant it.
void ask_for_huge_pages([[maybe_unused]] std::byte* memory, [[maybe_unused]] size_t bytes) {
#ifdef __linux__
    constexpr size_t kPage = 4096, kHuge = size_t{2} << 20;
    if (bytes < 2 * kHuge) return;
    const size_t skip = (kPage - reinterpret_cast<uintptr_t>(memory) % kPage) % kPage;
    madvise(memory + skip, (bytes - skip) / kPage * kPage, MADV_HUGEPAGE);
#endif
}

std::string parenthesised(const char* first, const Shape& shape) {
    std::string text = first;
    for (int64_t size : shape) text += (text.empty() ? "" : ", ") + std::to_string(size);
    const bool single = shape.size() + (*first ? 1 : 0) == 1;
    return "(" + text + (single ? ",)" : ")");
}

}  // namespace

size_t byte_size(DType type) {
    switch (type) {
        case DType::uint8:
            return 1;
        case DType::bfloat16:
            return 2;
        case DType::float32:
        case DType::int32:
            return 4;
        case DType::int64:
        case DType::float64:
            return 8;
    }
    fail("unknown element type ", static_cast<int>(type));
}

const char* name_of(DType type) {
    switch (type) {
        case DType::float32:
            return "float32";
        case DType::uint8:
            return "uint8";
        case DType::int32:
            return "int32";
        case DType::int64:
            return "int64";
        case DType::float64:
            return "float64";
        case DType::bfloat16:
            return "bfloat16";
    }
    fail("unknown element type ", static_cast<int>(type));
}

uint16_t bfloat16_of(float value) {
    uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    if (value != value) return static_cast<uint16_t>(bits >> 16 | 0x40);  // quiet, even if only low bits were set
    return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float bfloat16_to_float(uint16_t bits) {
    const uint32_t wide = uint32_t{bits} << 16;
    float value = 0.0f;
    std::memcpy(&value, &wide, sizeof value);
    return value;
}

std::string to_string(const Shape& shape) {
    return parenthesised("", shape);
}
std::string with_batch(const Shape& shape) {
    return parenthesised("N", shape);
}

int64_t element_count(const Shape& shape) {
    bool empty = false;
    for (int64_t size : shape) {
        require(size >= 0, "shape ", to_string(shape), " has a negative size");
        empty |= size == 0;
    }
    if (empty) return 0;
    int64_t count = 1;
    for (int64_t size : shape) {
        require(count <= std::numeric_limits<int64_t>::max() / size, "shape ", to_string(shape),
                " has more elements than 64 bits can count");
        count *= size;
    }
    return count;
}

AlignedBuffer::AlignedBuffer(size_t bytes) : size_(bytes) {
    if (bytes > static_cast<size_t>(std::numeric_limits<std::ptrdiff_t>::max())) throw std::bad_alloc();
    data_.reset(static_cast<std::byte*>(::operator new(bytes ? bytes : 1, kAlignment)));
    ask_for_huge_pages(data_.get(), bytes);
    std::memset(data_.get(), 0, bytes);
}

void AlignedBuffer::Free::operator()(std::byte* p) const {
    ::operator delete(p, kAlignment);
}

Tensor::Tensor(Shape shape) : shape_(std::move(shape)), size_(element_count(shape_)) {
    if (size_ > std::numeric_limits<std::ptrdiff_t>::max() / static_cast<int64_t>(sizeof(float)))
        throw std::bad_alloc();
    buffer_ = AlignedBuffer(static_cast<size_t>(size_) * sizeof(float));
}

}  // namespace striate
