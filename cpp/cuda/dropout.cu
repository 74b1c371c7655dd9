// Dropout with the CPU's random numbers, to the bit: Philox works on integers.
#include "device.cuh"

namespace striate::cuda {
namespace {

// The random word of an element: see RandomSource.
STRIATE_DEVICE uint32_t word_of(const RandomSource& source, uint64_t element) {
    const auto block = static_cast<uint32_t>(element / 64 * 16 + element % 16);
    const auto which = static_cast<int>(element % 64 / 16);
    uint32_t words[4] = {block, source.step, static_cast<uint32_t>(source.stream),
                         static_cast<uint32_t>(source.stream >> 32)};
    uint32_t key0 = static_cast<uint32_t>(source.seed), key1 = static_cast<uint32_t>(source.seed >> 32);
    for (int round = 0; round < 10; ++round) {
        const uint32_t high0 = __umulhi(words[0], 0xD2511F53u), low0 = words[0] * 0xD2511F53u;
        const uint32_t high1 = __umulhi(words[2], 0xCD9E8D57u), low1 = words[2] * 0xCD9E8D57u;
        words[0] = high1 ^ words[1] ^ key0;
        words[2] = high0 ^ words[3] ^ key1;
        words[1] = low1;
        words[3] = low0;
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    return which == 0 ? words[0] : which == 1 ? words[1] : which == 2 ? words[2] : words[3];
}

STRIATE_DEVICE bool kept(const RandomSource& source, double rate, uint64_t element) {
    return word_of(source, static_cast<uint64_t>(source.row * source.first_row) + element) >=
           static_cast<uint32_t>(rate * 4294967296.0);
}
STRIATE_DEVICE float scale_of(double rate) {
    return static_cast<float>(1.0 / (1.0 - rate));
}

struct Forward {
    template <class I>
    static STRIATE_DEVICE void at(const DropoutArgs& a, I i) {
        const Place<I> p = place_of(a.view_x, i);
        const bool keep = kept(a.source, a.rate, i);
        const float x = a.x[offset_of(a.view_x, p)];
        a.y[offset_of(a.view_y, p)] = keep ? x * scale_of(a.rate) : 0.0f;
        if (a.kept) a.kept[i] = keep;
    }
};

struct Backward {
    template <class I>
    static STRIATE_DEVICE void at(const DropoutGradArgs& a, I i) {
        const Place<I> p = place_of(a.view_dy, i);
        const bool keep = a.kept ? a.kept[i] != 0 : kept(a.source, a.rate, i);
        const float dy = a.dy[offset_of(a.view_dy, p)];
        a.dx[offset_of(a.view_dx, p)] = keep ? dy * scale_of(a.rate) : 0.0f;
    }
};

struct Factors {
    template <class I>
    static STRIATE_DEVICE void at(const DropoutFactorsArgs& a, I i) {
        a.out[i] = kept(a.source, a.rate, i) ? scale_of(a.rate) : 0.0f;
    }
};

}  // namespace

void dropout(const DropoutArgs& a, cudaStream_t stream) {
    for_each<Forward>(a, elements(a.view_x), stream);
}

void dropout_backward(const DropoutGradArgs& a, cudaStream_t stream) {
    for_each<Backward>(a, elements(a.view_dy), stream);
}

void dropout_factors(const DropoutFactorsArgs& a, cudaStream_t stream) {
    for_each<Factors>(a, a.size, stream);
}

}  // namespace striate::cuda
