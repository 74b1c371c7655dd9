#include "kernels/args_conv.hpp"
#include "kernels/lanes.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

template <bool kPlaces>
STRIATE_INLINE void sums(const ChannelSumArgs& a, int64_t begin, int64_t end) {
    constexpr int kViews = kPlaces ? 2 : 1;
    const View &v = a.view_x, dense = {v.n, v.h, v.w, v.c, v.h * v.w * v.c, v.w * v.c, v.c};
    View views[kViews];
    views[0] = v;
    if constexpr (kPlaces) views[1] = dense;
    const int64_t c = v.c, all_rows = rows(v);
    for (int64_t piece = begin; piece < end; ++piece) {
        double* sums = a.partials + piece * c;
        for (int64_t i = 0; i < c; ++i) sums[i] = 0;
        each_block(views, piece_begin(all_rows, a.pieces, piece), piece_begin(all_rows, a.pieces, piece + 1),
                   [&](const int64_t(&offsets)[kViews][kBlock], int64_t count, int64_t channel, int64_t width) {
                       float block[kWidest];
                       each_vector(width, [&](int64_t i, auto lanes) {
                           const auto term = [&](int64_t p) {
                               const Vec x = lanes.load(a.x + offsets[0][p] + i);
                               if constexpr (!kPlaces) return x;
                               const VecI place = lanes.load_bytes(a.places + offsets[kViews - 1][p] + i);
                               return select(place == a.left_out, Vec{}, x);
                           };
                           Vec even = {}, odd = {};
                           int64_t p = 0;
                           for (; p + 2 <= count; p += 2) {
                               even += term(p);
                               odd += term(p + 1);
                           }
                           if (p < count) even += term(p);
                           lanes.store(block + i, even + odd);
                       });
                       // Lanes of a wide pixel fold onto their channels one after the other.
                       for (int64_t lane = 0; lane < width; lane += c) {
                           const int64_t channels = lesser(c, width - lane);
                           for (int64_t i = 0; i < channels; ++i) sums[channel + i] += block[lane + i];
                       }
                   });
    }
}

}  // namespace

void channel_sums(const ChannelSumArgs& a, int64_t begin, int64_t end) {
    choose(a.places != nullptr, [&](auto places) { sums<places.value>(a, begin, end); });
}

}  // namespace striate::kernels::STRIATE_ISA
