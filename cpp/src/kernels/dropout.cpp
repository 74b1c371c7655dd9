#include "kernels/philox.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

struct Rule {
    uint32_t threshold;  // words from here on are kept
    float scale;
};
STRIATE_INLINE Rule rule(double rate) {
    return {static_cast<uint32_t>(rate * 4294967296.0), static_cast<float>(1.0 / (1.0 - rate))};
}

// f(first, count, words) for the groups of 64 elements that are in [part_first, part_first + count) of a batch, with
// their random words. Groups are those of the whole batch.
template <class F>
STRIATE_INLINE void each_group(const RandomSource& source, int64_t part_first, int64_t count, F f) {
    uint32_t words[64];
    const int64_t first = source.row * source.first_row + part_first, last = first + count;
    for (int64_t group = first / 64; group * 64 < last; ++group) {
        const int64_t from = greater(first, group * 64), to = lesser(last, group * 64 + 64);
        random_words(source, group, words);
        f(from - first, to - from, words + from % 64);
    }
}

template <class Lanes>
STRIATE_INLINE VecI kept_lanes(const uint32_t* words, uint32_t threshold, Lanes lanes) {
    const VecU v = reinterpret_cast<VecU>(lanes.load_ints(reinterpret_cast<const int32_t*>(words)));
    return v >= threshold;
}

}  // namespace

void dropout(const DropoutArgs& a, int64_t begin, int64_t end) {
    const View views[] = {a.view_x, a.view_y};
    const Rule r = rule(a.rate);
    each_run(views, begin, end, [&](const int64_t* offsets, int64_t first, int64_t count) {
        each_group(a.source, first, count, [&](int64_t from, int64_t size, const uint32_t* words) {
            const float* x = a.x + offsets[0] + from;
            float* y = a.y + offsets[1] + from;
            uint8_t* kept = a.kept ? a.kept + first + from : nullptr;
            each_vector(size, [&](int64_t i, auto lanes) {
                const VecI keep = kept_lanes(words + i, r.threshold, lanes);
                lanes.store(y + i, select(keep, lanes.load(x + i) * r.scale, Vec{}));
                if (kept) lanes.store_bytes(kept + i, keep & 1);
            });
        });
    });
}

void dropout_backward(const DropoutGradArgs& a, int64_t begin, int64_t end) {
    const View views[] = {a.view_dy, a.view_dx};
    const Rule r = rule(a.rate);
    each_run(views, begin, end, [&](const int64_t* offsets, int64_t first, int64_t count) {
        const float* dy = a.dy + offsets[0];
        float* dx = a.dx + offsets[1];
        if (a.kept)
            return each_vector(count, [&](int64_t i, auto lanes) {
                const VecI keep = lanes.load_bytes(a.kept + first + i) != 0;
                lanes.store(dx + i, select(keep, lanes.load(dy + i) * r.scale, Vec{}));
            });
        each_group(a.source, first, count, [&](int64_t from, int64_t size, const uint32_t* words) {
            each_vector(size, [&](int64_t i, auto lanes) {
                const VecI keep = kept_lanes(words + i, r.threshold, lanes);
                lanes.store(dx + from + i, select(keep, lanes.load(dy + from + i) * r.scale, Vec{}));
            });
        });
    });
}

void dropout_factors(const DropoutFactorsArgs& a, int64_t begin, int64_t end) {
    const Rule r = rule(a.rate);
    const int64_t first = begin * kMergeChunk, last = lesser(a.size, end * kMergeChunk);
    each_group(a.source, first, last - first, [&](int64_t from, int64_t size, const uint32_t* words) {
        each_vector(size, [&](int64_t i, auto lanes) {
            const VecI keep = kept_lanes(words + i, r.threshold, lanes);
            lanes.store(a.out + first + from + i, select(keep, broadcast(r.scale), Vec{}));
        });
    });
}

}  // namespace striate::kernels::STRIATE_ISA
