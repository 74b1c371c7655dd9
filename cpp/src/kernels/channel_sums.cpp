#include "kernels/args_conv.hpp"
#include "kernels/lanes.hpp"

namespace striate::kernels::STRIATE_ISA {

void channel_sums(const ChannelSumArgs& a, int64_t begin, int64_t end) {
    const View views[] = {a.view_x};
    const int64_t c = a.view_x.c, all_rows = rows(a.view_x);
    for (int64_t piece = begin; piece < end; ++piece) {
        double* sums = a.partials + piece * c;
        for (int64_t i = 0; i < c; ++i) sums[i] = 0;
        each_block(views, piece_begin(all_rows, a.pieces, piece), piece_begin(all_rows, a.pieces, piece + 1),
                   [&](const int64_t(&offsets)[1][kBlock], int64_t count, int64_t channel, int64_t width) {
                       float block[kWidest];
                       each_vector(width, [&](int64_t i, auto lanes) {
                           Vec even = {}, odd = {};
                           int64_t p = 0;
                           for (; p + 2 <= count; p += 2) {
                               even += lanes.load(a.x + offsets[0][p] + i);
                               odd += lanes.load(a.x + offsets[0][p + 1] + i);
                           }
                           if (p < count) even += lanes.load(a.x + offsets[0][p] + i);
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

}  // namespace striate::kernels::STRIATE_ISA
