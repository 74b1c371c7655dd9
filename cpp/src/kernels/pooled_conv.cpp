// A convolution whose 2 x 2 maxima alone are stored.
#include "kernels/args_pooled_conv.hpp"
#include "kernels/layout.hpp"
#include "kernels/simd.hpp"

namespace striate::kernels::STRIATE_ISA {

void conv(const ConvArgs& a, int64_t begin, int64_t end);
void max_pool(const MaxPoolArgs& a, int64_t begin, int64_t end);

void pooled_conv(const PooledConvArgs& a, int64_t begin, int64_t end) {
    const View& y = a.view_y;
    for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t group = unit / a.down, part = unit % a.down;
        const int64_t image = piece_begin(y.n, a.groups, group), row = piece_begin(y.h, a.down, part);
        const int which = group < y.n % a.groups || part < y.h % a.down ? 0 : 1;
        ConvArgs sums = a.sums[which];
        sums.x = a.x + image * a.x_image + row * a.x_row;
        sums.weights = a.weights;
        sums.bias = a.bias;
        sums.y = a.scratch;
        conv(sums, 0, a.sum_units[which]);
        MaxPoolArgs maxima = a.maxima[which];
        maxima.x = a.scratch;
        maxima.y = a.y + image * y.image + row * y.row;
        if (a.places) maxima.winners.places = a.places + (image * y.h + row) * y.w * y.c;
        max_pool(maxima, 0, a.maxima_units[which]);
    }
}

}  // namespace striate::kernels::STRIATE_ISA
