#include "kernels/args_norm.hpp"
#include "kernels/pool.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

template <bool kShift, bool kRelu, bool kKeep>
STRIATE_INLINE void forward(const AffinePoolArgs& a, int64_t begin, int64_t end) {
    const View &v = a.view_x, &o = a.view_y;
    for (int64_t unit = begin; unit < end; ++unit) {
        const float* upper = a.x + unit / o.h * v.image + unit % o.h * 2 * v.row;
        const float* lower = upper + v.row;
        float* y = a.y + unit / o.h * o.image + unit % o.h * o.row;
        for (int64_t x = 0; x < o.w; ++x) {
            each_vector(v.c, [&](int64_t i, auto lanes) {
                const Vec mean = lanes.load(a.mean + i), scale = lanes.load(a.scale + i);
                const Vec shift = kShift ? lanes.load(a.shift + i) : Vec{};
                const Vec from[] = {lanes.load(upper + i), lanes.load(upper + v.pixel + i), lanes.load(lower + i),
                                    lanes.load(lower + v.pixel + i)};
                Vec chosen = from[0], best = scaled<kShift>(chosen - mean, scale, shift);
                VecI winner = {};
                for (int place = 1; place < 4; ++place) {
                    const VecI wins = challenge(best, winner, scaled<kShift>(from[place] - mean, scale, shift), place);
                    chosen = select(wins, from[place], chosen);
                }
                lanes.store(y + i, kRelu ? max(Vec{}, best) : best);
                if (!kKeep) return;
                const int64_t at = (unit * o.w + x) * v.c + i;
                if (kRelu) winner = best <= 0.0f ? broadcast_int(kNoPlace) : winner;
                if (a.places) lanes.store_bytes(a.places + at, winner);
                if (a.chosen) lanes.store(a.chosen + at, chosen);
            });
            upper += 2 * v.pixel, lower += 2 * v.pixel, y += o.pixel;
        }
    }
}

template <bool kSlope>
STRIATE_INLINE void backward(const AffinePoolGradArgs& a, int64_t begin, int64_t end) {
    const View &v = a.view_x, &o = a.view_dy, &d = a.view_dx;
    const int64_t pairs = divide_up(d.h, 2);
    for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t image = unit / pairs, pair = unit % pairs, windows = pair < o.h ? o.w : 0;
        const float* x = kSlope ? a.x + image * v.image + 2 * pair * v.row : nullptr;
        float* dx = a.dx + image * d.image + 2 * pair * d.row;
        for (int64_t column = 0; column < windows; ++column) {
            const float* dy = a.dy + image * o.image + pair * o.row + column * o.pixel;
            const uint8_t* places = a.places + ((image * o.h + pair) * o.w + column) * o.c;
            each_vector(d.c, [&](int64_t i, auto lanes) {
                const Vec g = lanes.load(dy + i), scale = lanes.load(a.scale + i);
                const VecI winner = lanes.load_bytes(places + i);
                const Vec mean = kSlope ? lanes.load(a.mean + i) : Vec{};
                const Vec slope = kSlope ? lanes.load(a.slope + i) : Vec{};
                const Vec offset = kSlope ? lanes.load(a.offset + i) : Vec{};
                for (int place = 0; place < 4; ++place) {
                    const int64_t row = place / 2, pixel = 2 * column + place % 2;
                    Vec to = select(winner == place, g, Vec{}) * scale;
                    if (kSlope) to = to + (lanes.load(x + row * v.row + pixel * v.pixel + i) - mean) * slope + offset;
                    lanes.store(dx + row * d.row + pixel * d.pixel + i, to);
                }
            });
        }
        // What fills no window has a gradient by way of the statistics alone.
        const int64_t rows_here = lesser(2, d.h - 2 * pair);
        for (int64_t row = 0; row < rows_here; ++row)
            for (int64_t pixel = 2 * windows; pixel < d.w; ++pixel)
                each_vector(d.c, [&](int64_t i, auto lanes) {
                    Vec to = {};
                    if (kSlope)
                        to = (lanes.load(x + row * v.row + pixel * v.pixel + i) - lanes.load(a.mean + i)) *
                                 lanes.load(a.slope + i) +
                             lanes.load(a.offset + i);
                    lanes.store(dx + row * d.row + pixel * d.pixel + i, to);
                });
    }
}

}  // namespace

void affine_pool(const AffinePoolArgs& a, int64_t begin, int64_t end) {
    choose(a.shift != nullptr, [&](auto shift) {
        choose(a.relu, [&](auto relu) {
            choose(a.places || a.chosen,
                   [&](auto keep) { forward<shift.value, relu.value, keep.value>(a, begin, end); });
        });
    });
}

void affine_pool_backward(const AffinePoolGradArgs& a, int64_t begin, int64_t end) {
    choose(a.slope != nullptr, [&](auto slope) { backward<slope.value>(a, begin, end); });
}

}  // namespace striate::kernels::STRIATE_ISA
