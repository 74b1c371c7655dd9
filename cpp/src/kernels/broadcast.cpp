#include "kernels/args_elementwise.hpp"
#include "kernels/lanes.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

constexpr int64_t kGroup = 256;  // channels whose sums are gathered at a time

// The part of dy that one pixel of the output gathers.
struct Region {
    int64_t n0, n1, y0, y1, x0, x1;
};

struct Source {
    const ReduceBroadcastArgs& a;
    View dy, other;
    STRIATE_INLINE const float* gradient(int64_t n, int64_t y, int64_t x) const {
        return a.dy + n * dy.image + y * dy.row + x * dy.pixel;
    }
    STRIATE_INLINE const float* factor(int64_t n, int64_t y, int64_t x) const {
        return a.other + n * other.image + y * other.row + x * other.pixel;
    }
};

template <class Lanes>
STRIATE_INLINE Vec term(const Source& s, int64_t n, int64_t y, int64_t x, int64_t i, Lanes lanes) {
    const Vec g = lanes.load(s.gradient(n, y, x) + i);
    if (!s.a.other) return g;
    const float* factor = s.factor(n, y, x);
    return g * (s.other.c == 1 ? broadcast(*factor) : lanes.load(factor + i));
}

void sum_each_channel(const Source& s, const Region& r, float* out) {
    for (int64_t c0 = 0; c0 < s.dy.c; c0 += kGroup) {
        const int64_t width = lesser(kGroup, s.dy.c - c0);
        double sums[kGroup] = {};
        for (int64_t n = r.n0; n < r.n1; ++n)
            for (int64_t y = r.y0; y < r.y1; ++y) {
                float row[kGroup];
                each_vector(width, [&](int64_t i, auto lanes) {
                    Vec total = {};
                    for (int64_t x = r.x0; x < r.x1; ++x) total += term(s, n, y, x, c0 + i, lanes);
                    lanes.store(row + i, total);
                });
                for (int64_t i = 0; i < width; ++i) sums[i] += row[i];
            }
        for (int64_t i = 0; i < width; ++i) out[c0 + i] = static_cast<float>(sums[i] * s.a.factor);
    }
}

void sum_all_channels(const Source& s, const Region& r, float* out) {
    // Thousands of floats added one after the other would lose what their doubles keep.
    constexpr int64_t kSums = 8;
    double sums[kSums] = {};
    for (int64_t n = r.n0; n < r.n1; ++n)
        for (int64_t y = r.y0; y < r.y1; ++y)
            for (int64_t x = r.x0; x < r.x1; ++x)
                for (int64_t c0 = 0; c0 < s.dy.c; c0 += kGroup) {
                    const int64_t width = lesser(kGroup, s.dy.c - c0);
                    float terms[kGroup];
                    each_vector(
                        width, [&](int64_t i, auto lanes) { lanes.store(terms + i, term(s, n, y, x, c0 + i, lanes)); });
                    const int64_t whole = width / kSums * kSums;
                    for (int64_t i = 0; i < whole; i += kSums)
                        for (int64_t j = 0; j < kSums; ++j) sums[j] += terms[i + j];
                    for (int64_t i = whole; i < width; ++i) sums[i - whole] += terms[i];
                }
    double total = 0;
    for (const double sum : sums) total += sum;
    *out = static_cast<float>(total * s.a.factor);
}

}  // namespace

void reduce_broadcast(const ReduceBroadcastArgs& a, int64_t begin, int64_t end) {
    const View& dy = a.view_dy;
    const View& out = a.view_out;
    const Source source{a, dy, broadcast_to(a.view_other, dy)};
    const bool all_n = out.n < dy.n, all_h = out.h < dy.h, all_w = out.w < dy.w;
    for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t n = unit / out.h, y = unit % out.h;
        for (int64_t x = 0; x < out.w; ++x) {
            const Region region = {all_n ? 0 : n,        all_n ? dy.n : n + 1, all_h ? 0 : y,
                                   all_h ? dy.h : y + 1, all_w ? 0 : x,        all_w ? dy.w : x + 1};
            float* place = a.out + n * out.image + y * out.row + x * out.pixel;
            if (out.c < dy.c)
                sum_all_channels(source, region, place);
            else
                sum_each_channel(source, region, place);
        }
    }
}

}  // namespace striate::kernels::STRIATE_ISA
