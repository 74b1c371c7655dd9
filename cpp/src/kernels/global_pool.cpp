#include "kernels/args_pool.hpp"
#include "kernels/lanes.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

// f(image, channel, width) for every unit
template <class F>
STRIATE_INLINE void each_channel_block(int64_t c, int64_t begin, int64_t end, F f) {
    const int64_t blocks = divide_up(c, kPoolChannels);
    for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t channel = unit % blocks * kPoolChannels;
        f(unit / blocks, channel, lesser(kPoolChannels, c - channel));
    }
}

// f(pixel of dx, image, number of the pixel in its image)
template <class F>
STRIATE_INLINE void each_pixel(const View& v, float* dx, int64_t begin, int64_t end, F f) {
    for (int64_t unit = begin; unit < end; ++unit)
        for (int64_t x = 0; x < v.w; ++x)
            f(dx + unit / v.h * v.image + unit % v.h * v.row + x * v.pixel, unit / v.h, unit % v.h * v.w + x);
}

}  // namespace

void global_average_pool(const GlobalPoolArgs& a, int64_t begin, int64_t end) {
    const View& v = a.view_x;
    const float share = 1.0f / static_cast<float>(v.h * v.w);
    each_channel_block(v.c, begin, end, [&](int64_t n, int64_t channel, int64_t width) {
        const float* x = a.x + n * v.image + channel;
        float* y = a.y + n * a.view_y.image + channel;
        each_vector(width, [&](int64_t i, auto lanes) {
            Vec total = {};
            for (int64_t row = 0; row < v.h; ++row) {
                Vec line = {};
                for (int64_t column = 0; column < v.w; ++column)
                    line += lanes.load(x + row * v.row + column * v.pixel + i);
                total += line;
            }
            lanes.store(y + i, total * share);
        });
    });
}

void global_average_pool_backward(const GlobalPoolGradArgs& a, int64_t begin, int64_t end) {
    const float share = 1.0f / static_cast<float>(a.view_dx.h * a.view_dx.w);
    each_pixel(a.view_dx, a.dx, begin, end, [&](float* dx, int64_t n, int64_t) {
        const float* dy = a.dy + n * a.view_dy.image;
        each_vector(a.view_dx.c, [&](int64_t i, auto lanes) { lanes.store(dx + i, lanes.load(dy + i) * share); });
    });
}

void global_max_pool(const GlobalPoolArgs& a, int64_t begin, int64_t end) {
    const View& v = a.view_x;
    each_channel_block(v.c, begin, end, [&](int64_t n, int64_t channel, int64_t width) {
        const float* x = a.x + n * v.image + channel;
        float* y = a.y + n * a.view_y.image + channel;
        int32_t* winners = a.winners ? a.winners + n * v.c + channel : nullptr;
        each_vector(width, [&](int64_t i, auto lanes) {
            Vec best = lanes.load(x + i);
            VecI winner = {};
            for (int64_t row = 0; row < v.h; ++row)
                for (int64_t column = 0; column < v.w; ++column) {
                    const Vec value = lanes.load(x + row * v.row + column * v.pixel + i);
                    const VecI wins = ~(value <= best) & (best == best);
                    best = select(wins, value, best);
                    winner = wins ? broadcast_int(static_cast<int32_t>(row * v.w + column)) : winner;
                }
            lanes.store(y + i, best);
            if (winners) lanes.store_ints(winners + i, winner);
        });
    });
}

void global_max_pool_backward(const GlobalPoolGradArgs& a, int64_t begin, int64_t end) {
    each_pixel(a.view_dx, a.dx, begin, end, [&](float* dx, int64_t n, int64_t pixel) {
        const float* dy = a.dy + n * a.view_dy.image;
        const int32_t* winners = a.winners + n * a.view_dx.c;
        each_vector(a.view_dx.c, [&](int64_t i, auto lanes) {
            const VecI won = lanes.load_ints(winners + i) == static_cast<int32_t>(pixel);
            lanes.store(dx + i, select(won, lanes.load(dy + i), Vec{}));
        });
    });
}

}  // namespace striate::kernels::STRIATE_ISA
