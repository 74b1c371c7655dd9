#include "kernels/args_elementwise.hpp"
#include "kernels/lanes.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

template <class T>
STRIATE_INLINE Vec as_floats(const T* p, Whole lanes) {
    if constexpr (sizeof(T) == 1)
        return __builtin_convertvector(lanes.load_bytes(p), Vec);
    else
        return lanes.load(p);
}
template <class T>
STRIATE_INLINE Vec as_floats(const T* p, Part lanes) {
    if constexpr (sizeof(T) == 1)
        return __builtin_convertvector(lanes.load_bytes(p), Vec);
    else
        return lanes.load(p);
}

// `count` values in a row of memory, to a row of memory
template <class T>
STRIATE_INLINE void convert(const GatherArgs& a, const T* from, float* to, int64_t count) {
    each_vector(count,
                [&](int64_t i, auto lanes) { lanes.store(to + i, as_floats(from + i, lanes) * a.scale + a.shift); });
}

template <class T>
STRIATE_INLINE void channels_last(const GatherArgs& a, int64_t begin, int64_t end) {
    const View& v = a.view;
    const int64_t runs = packed(v) ? 1 : v.w, length = v.w * v.c / runs;
    for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t image = unit / v.h, row = unit % v.h, chosen = a.indices ? a.indices[image] : image;
        const T* from = static_cast<const T*>(a.source) + (chosen * v.h + row) * v.w * v.c;
        float* to = a.y + image * v.image + row * v.row;
        for (int64_t run = 0; run < runs; ++run) convert(a, from + run * length, to + run * v.pixel, length);
    }
}

template <class T>
STRIATE_INLINE void channels_first(const GatherArgs& a, int64_t begin, int64_t end) {
    const View& v = a.view;
    constexpr int64_t kAcross = 64;  // pixels whose channels are turned while they are in cache
    for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t image = unit / v.h, row = unit % v.h, chosen = a.indices ? a.indices[image] : image;
        const T* from = static_cast<const T*>(a.source) + (chosen * v.c * v.h + row) * v.w;
        float* to = a.y + image * v.image + row * v.row;
        for (int64_t first = 0; first < v.w; first += kAcross)
            for (int64_t c = 0; c < v.c; ++c)
                for (int64_t x = first; x < lesser(v.w, first + kAcross); ++x)
                    to[x * v.pixel + c] = static_cast<float>(from[c * v.h * v.w + x]) * a.scale + a.shift;
    }
}

}  // namespace

void gather(const GatherArgs& a, int64_t begin, int64_t end) {
    switch (a.kind) {
        case SourceKind::float32:
            return channels_last<float>(a, begin, end);
        case SourceKind::uint8:
            return channels_last<uint8_t>(a, begin, end);
        case SourceKind::float32_channels_first:
            return channels_first<float>(a, begin, end);
        case SourceKind::uint8_channels_first:
            return channels_first<uint8_t>(a, begin, end);
    }
}

void gather_bytes(const GatherBytesArgs& a, int64_t begin, int64_t end) {
    const int64_t last = lesser(a.rows, end * kBytesRows);
    for (int64_t row = begin * kBytesRows; row < last; ++row) {
        const int64_t chosen = a.indices ? a.indices[row] : row;
        __builtin_memcpy(static_cast<char*>(a.out) + row * a.row_bytes,
                         static_cast<const char*>(a.source) + chosen * a.row_bytes, static_cast<size_t>(a.row_bytes));
    }
}

}  // namespace striate::kernels::STRIATE_ISA
