#include "bench.hpp"

namespace bench {

std::string Size::text() const {
    return std::to_string(n) + "x" + std::to_string(h) + "x" + std::to_string(w) + "x" + std::to_string(c);
}

View view_of(const Size& size, const Halo& halo) {
    const int64_t row = (size.w + halo.left + halo.right) * size.c;
    return {size.n, size.h, size.w, size.c, (size.h + halo.top + halo.bottom) * row, row, size.c};
}

// splitmix64 (Steele, Lea, Flood 2014)
double Memory::uniform() {
    return static_cast<double>(integer(0) >> 11) * 0x1p-53;
}
uint64_t Memory::integer(uint64_t limit) {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return limit ? z % limit : z;
}

float* Memory::floats(int64_t count, float low, float high) {
    float* out = array<float>(count);
    for (int64_t i = 0; i < count; ++i) out[i] = low + (high - low) * static_cast<float>(uniform());
    return out;
}
double* Memory::doubles(int64_t count, double low, double high) {
    double* out = array<double>(count);
    for (int64_t i = 0; i < count; ++i) out[i] = low + (high - low) * uniform();
    return out;
}
uint8_t* Memory::bytes(int64_t count, int limit) {
    uint8_t* out = array<uint8_t>(count);
    for (int64_t i = 0; i < count; ++i) out[i] = static_cast<uint8_t>(integer(static_cast<uint64_t>(limit)));
    return out;
}
int32_t* Memory::ints(int64_t count, int32_t limit) {
    int32_t* out = array<int32_t>(count);
    for (int64_t i = 0; i < count; ++i) out[i] = static_cast<int32_t>(integer(static_cast<uint64_t>(limit)));
    return out;
}
int64_t* Memory::indices(int64_t count, int64_t limit) {
    int64_t* out = array<int64_t>(count);
    for (int64_t i = 0; i < count; ++i) out[i] = static_cast<int64_t>(integer(static_cast<uint64_t>(limit)));
    return out;
}

Map Memory::map(const Size& size, const Halo& halo, float low, float high) {
    const View v = view_of(size, halo);
    float* data = array<float>(size.n * v.image) + halo.top * v.row + halo.left * v.pixel;
    for (int64_t line = 0; line < size.n * size.h; ++line) {
        float* row = data + line / size.h * v.image + line % size.h * v.row;
        for (int64_t i = 0; i < size.w * size.c; ++i) row[i] = low + (high - low) * static_cast<float>(uniform());
    }
    return {v, data};
}

}  // namespace bench
