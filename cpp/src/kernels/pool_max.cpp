#include "kernels/pool.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

struct NoWinners {
    template <class Lanes>
    STRIATE_INLINE void store(Lanes, int64_t, VecI) const {}
    template <class Lanes>
    STRIATE_INLINE VecI load(Lanes, int64_t) const {
        return VecI{};
    }
};
struct ByteWinners {
    uint8_t* places;
    template <class Lanes>
    STRIATE_INLINE void store(Lanes lanes, int64_t at, VecI v) const {
        lanes.store_bytes(places + at, v);
    }
    template <class Lanes>
    STRIATE_INLINE VecI load(Lanes lanes, int64_t at) const {
        return lanes.load_bytes(places + at);
    }
};
struct IntWinners {
    int32_t* places;
    template <class Lanes>
    STRIATE_INLINE void store(Lanes lanes, int64_t at, VecI v) const {
        lanes.store_ints(places + at, v);
    }
    template <class Lanes>
    STRIATE_INLINE VecI load(Lanes lanes, int64_t at) const {
        return lanes.load_ints(places + at);
    }
};

STRIATE_INLINE bool halves(const PoolWindow& w, const View& large, const View& small) {
    return w.rows == 2 && w.columns == 2 && w.row_step == 2 && w.column_step == 2 && w.top == 0 && w.left == 0 &&
           2 * small.h <= large.h && 2 * small.w <= large.w;
}

// Keeps a window's maximum and its place.
template <bool kRelu, class Winners, class Lanes>
STRIATE_INLINE void keep(const PoolWindow& w, float* y, Winners winners, Lanes lanes, int64_t at, Vec best,
                         VecI winner) {
    if constexpr (kRelu) winner = best <= 0.0f ? broadcast_int(static_cast<int32_t>(w.rows * w.columns)) : winner;
    lanes.store(y, kRelu ? max(Vec{}, best) : best);
    winners.store(lanes, at, winner);
}

// Rows of 2 x 2 windows that are side by side within the map.
template <bool kRelu, class Winners>
STRIATE_INLINE void forward_2x2(const MaxPoolArgs& a, Winners winners, int64_t unit) {
    const View &v = a.view_x, &o = a.view_y;
    const float* upper = a.x + unit / o.h * v.image + unit % o.h * 2 * v.row;
    const float* lower = upper + v.row;
    float* y = a.y + unit / o.h * o.image + unit % o.h * o.row;
    for (int64_t x = 0; x < o.w; ++x) {
        each_vector(v.c, [&](int64_t i, auto lanes) {
            Vec best = lanes.load(upper + i);
            VecI winner = {};
            challenge(best, winner, lanes.load(upper + v.pixel + i), 1);
            challenge(best, winner, lanes.load(lower + i), 2);
            challenge(best, winner, lanes.load(lower + v.pixel + i), 3);
            keep<kRelu>(a.window, y + i, winners, lanes, (unit * o.w + x) * v.c + i, best, winner);
        });
        upper += 2 * v.pixel, lower += 2 * v.pixel, y += o.pixel;
    }
}

template <bool kRelu, class Winners>
STRIATE_INLINE void forward_any(const MaxPoolArgs& a, Winners winners, int64_t unit) {
    const View &v = a.view_x, &o = a.view_y;
    const PoolWindow& w = a.window;
    const float* image = a.x + unit / o.h * v.image;
    float* y = a.y + unit / o.h * o.image + unit % o.h * o.row;
    const Span down = span(unit % o.h, w.row_step, w.top, w.rows, v.h);
    for (int64_t x = 0; x < o.w; ++x) {
        const Span across = span(x, w.column_step, w.left, w.columns, v.w);
        const int64_t gap = w.columns - (across.end - across.begin);  // places of a window's row that are outside
        each_vector(v.c, [&](int64_t i, auto lanes) {
            int32_t place = static_cast<int32_t>(down.first * w.columns + across.first);
            Vec best = lanes.load(image + down.begin * v.row + across.begin * v.pixel + i);
            VecI winner = broadcast_int(place);
            for (int64_t row = down.begin; row < down.end; ++row) {
                const float* from = image + row * v.row + i;
                for (int64_t column = across.begin; column < across.end; ++column, ++place)
                    challenge(best, winner, lanes.load(from + column * v.pixel), place);
                place += static_cast<int32_t>(gap);
            }
            keep<kRelu>(w, y + x * o.pixel + i, winners, lanes, (unit * o.w + x) * v.c + i, best, winner);
        });
    }
}

template <class Winners>
STRIATE_INLINE void forward(const MaxPoolArgs& a, Winners winners, int64_t begin, int64_t end) {
    const bool by_2x2 = halves(a.window, a.view_x, a.view_y);
    choose(a.relu, [&](auto relu) {
        for (int64_t unit = begin; unit < end; ++unit)
            if (by_2x2)
                forward_2x2<relu.value>(a, winners, unit);
            else
                forward_any<relu.value>(a, winners, unit);
    });
}

// A row of the input of such windows.
template <class Winners>
STRIATE_INLINE void backward_2x2(const MaxPoolGradArgs& a, Winners winners, int64_t image, int64_t row, float* dx) {
    const View &o = a.view_dy, &v = a.view_dx;
    const int64_t y = row / 2;
    const auto left = static_cast<int32_t>(row % 2 * 2), right = left + 1;
    const float* dy = a.dy + image * o.image + y * o.row;
    int64_t places = (image * o.h + y) * o.w * v.c;
    for (int64_t x = 0; x < o.w; ++x) {
        each_vector(v.c, [&](int64_t i, auto lanes) {
            const Vec g = lanes.load(dy + i);
            const VecI winner = winners.load(lanes, places + i);
            lanes.store(dx + i, select(winner == left, g, Vec{}));
            lanes.store(dx + v.pixel + i, select(winner == right, g, Vec{}));
        });
        dy += o.pixel, dx += 2 * v.pixel, places += v.c;
    }
    for (int64_t x = 2 * o.w; x < v.w; ++x, dx += v.pixel)
        each_vector(v.c, [&](int64_t i, auto lanes) { lanes.store(dx + i, Vec{}); });
}

template <class Winners>
STRIATE_INLINE void backward(const MaxPoolGradArgs& a, Winners winners, int64_t begin, int64_t end) {
    const View &o = a.view_dy, &v = a.view_dx;
    const PoolWindow& w = a.window;
    const bool apart = w.rows <= w.row_step && w.columns <= w.column_step, by_2x2 = halves(w, v, o);
    for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t image = unit / v.h, row = unit % v.h;
        float* dx = a.dx + image * v.image + row * v.row;
        if (by_2x2 && row < 2 * o.h) {
            backward_2x2(a, winners, image, row, dx);
            continue;
        }
        const Windows over = windows_over(row, w.row_step, w.top, w.rows, o.h);
        if (!apart || over.begin >= over.end || !tiles_row(w, v, o.w)) zero_row(dx, v);
        for (int64_t y = over.begin; y < over.end; ++y) {
            const int64_t first_place = (row + w.top - y * w.row_step) * w.columns;
            for (int64_t x = 0; x < o.w; ++x) {
                const float* dy = a.dy + image * o.image + y * o.row + x * o.pixel;
                const Span across = span(x, w.column_step, w.left, w.columns, v.w);
                each_vector(v.c, [&](int64_t i, auto lanes) {
                    const Vec g = lanes.load(dy + i);
                    const VecI winner = winners.load(lanes, ((image * o.h + y) * o.w + x) * v.c + i);
                    int32_t place = static_cast<int32_t>(first_place + across.first);
                    for (int64_t column = across.begin; column < across.end; ++column, ++place) {
                        float* to = dx + column * v.pixel + i;
                        const Vec won = select(winner == place, g, Vec{});
                        lanes.store(to, apart ? won : lanes.load(to) + won);
                    }
                });
            }
        }
    }
}

}  // namespace

void max_pool(const MaxPoolArgs& a, int64_t begin, int64_t end) {
    if (!a.winners.places)
        forward(a, NoWinners{}, begin, end);
    else if (a.winners.wide)
        forward(a, IntWinners{static_cast<int32_t*>(a.winners.places)}, begin, end);
    else
        forward(a, ByteWinners{static_cast<uint8_t*>(a.winners.places)}, begin, end);
}

void max_pool_backward(const MaxPoolGradArgs& a, int64_t begin, int64_t end) {
    if (a.winners.wide)
        backward(a, IntWinners{static_cast<int32_t*>(a.winners.places)}, begin, end);
    else
        backward(a, ByteWinners{static_cast<uint8_t*>(a.winners.places)}, begin, end);
}

}  // namespace striate::kernels::STRIATE_ISA
