// Pooling and resizing: forward by output element, backward by input element, so that nothing is added atomically.
#include "device.cuh"

namespace striate::cuda {
namespace {

// The places of a window on one axis that are inside the map, and the first one's number.
struct Span {
    int64_t begin, end, first;
};
STRIATE_DEVICE Span span(int64_t window, int64_t step, int64_t before, int64_t size, int64_t map) {
    const int64_t from = window * step - before;
    const int64_t begin = from < 0 ? 0 : from, end = from + size > map ? map : from + size;
    return {begin, end, begin - from};
}
// The windows on one axis that are over a place of the map.
struct Windows {
    int64_t begin, end;
};
STRIATE_DEVICE Windows windows_over(int64_t place, int64_t step, int64_t before, int64_t size, int64_t windows) {
    const int64_t p = place + before, last = p / step + 1;
    const int64_t first = p < size ? 0 : (p - size) / step + 1;
    return {first, last < windows ? last : windows};
}

// Whether `v` takes the maximum from `best`, which comes before it: a NaN does, an equal does not, nothing beats a NaN.
STRIATE_DEVICE bool wins(float v, float best) {
    return !(v <= best) && best == best;
}

struct MaxPool {
    template <class I>
    static STRIATE_DEVICE void at(const MaxPoolArgs& a, I i) {
        const Place<I> p = place_of(a.view_y, i);
        const PoolWindow& w = a.window;
        const View& v = a.view_x;
        const Span down = span(p.y, w.row_step, w.top, w.rows, v.h);
        const Span across = span(p.x, w.column_step, w.left, w.columns, v.w);
        const float* const image = a.x + p.n * v.image + p.c;
        float best = image[down.begin * v.row + across.begin * v.pixel];
        int64_t winner = down.first * w.columns + across.first;
        for (int64_t row = down.begin; row < down.end; ++row)
            for (int64_t column = across.begin; column < across.end; ++column) {
                const float value = image[row * v.row + column * v.pixel];
                if (!wins(value, best)) continue;
                best = value;
                winner = (row - down.begin + down.first) * w.columns + column - across.begin + across.first;
            }
        if (a.relu && best <= 0.0f) {
            winner = w.rows * w.columns;
            best = 0.0f;
        }
        a.y[offset_of(a.view_y, p)] = best;
        if (!a.winners.places) return;
        if (a.winners.wide) {
            static_cast<int32_t*>(a.winners.places)[i] = static_cast<int32_t>(winner);
        } else {
            static_cast<uint8_t*>(a.winners.places)[i] = static_cast<uint8_t>(winner);
        }
    }
};

struct MaxPoolBackward {
    template <class I>
    static STRIATE_DEVICE void at(const MaxPoolGradArgs& a, I i) {
        const Place<I> p = place_of(a.view_dx, i);
        const PoolWindow& w = a.window;
        const View& o = a.view_dy;
        const Windows down = windows_over(p.y, w.row_step, w.top, w.rows, o.h);
        const Windows across = windows_over(p.x, w.column_step, w.left, w.columns, o.w);
        float sum = 0;
        for (int64_t y = down.begin; y < down.end; ++y)
            for (int64_t x = across.begin; x < across.end; ++x) {
                const int64_t place = (p.y + w.top - y * w.row_step) * w.columns + (p.x + w.left - x * w.column_step);
                const int64_t at = ((p.n * o.h + y) * o.w + x) * o.c + p.c;
                const int64_t winner = a.winners.wide ? static_cast<const int32_t*>(a.winners.places)[at]
                                                      : static_cast<const uint8_t*>(a.winners.places)[at];
                if (winner == place) sum += a.dy[p.n * o.image + y * o.row + x * o.pixel + p.c];
            }
        a.dx[offset_of(a.view_dx, p)] = sum;
    }
};

struct AveragePool {
    template <class I>
    static STRIATE_DEVICE void at(const AveragePoolArgs& a, I i) {
        const Place<I> p = place_of(a.view_y, i);
        const PoolWindow& w = a.window;
        const View& v = a.view_x;
        const Span down = span(p.y, w.row_step, w.top, w.rows, v.h);
        const Span across = span(p.x, w.column_step, w.left, w.columns, v.w);
        const float* const image = a.x + p.n * v.image + p.c;
        float total = 0;
        for (int64_t row = down.begin; row < down.end; ++row) {
            float line = 0;
            for (int64_t column = across.begin; column < across.end; ++column)
                line += image[row * v.row + column * v.pixel];
            total += line;
        }
        a.y[offset_of(a.view_y, p)] = total / static_cast<float>((down.end - down.begin) * (across.end - across.begin));
    }
};

struct AveragePoolBackward {
    template <class I>
    static STRIATE_DEVICE void at(const AveragePoolGradArgs& a, I i) {
        const Place<I> p = place_of(a.view_dx, i);
        const PoolWindow& w = a.window;
        const View &o = a.view_dy, &v = a.view_dx;
        const Windows down = windows_over(p.y, w.row_step, w.top, w.rows, o.h);
        const Windows across = windows_over(p.x, w.column_step, w.left, w.columns, o.w);
        float sum = 0;
        for (int64_t y = down.begin; y < down.end; ++y) {
            const Span lines = span(y, w.row_step, w.top, w.rows, v.h);
            for (int64_t x = across.begin; x < across.end; ++x) {
                const Span columns = span(x, w.column_step, w.left, w.columns, v.w);
                const auto count = static_cast<float>((lines.end - lines.begin) * (columns.end - columns.begin));
                sum += a.dy[p.n * o.image + y * o.row + x * o.pixel + p.c] / count;
            }
        }
        a.dx[offset_of(a.view_dx, p)] = sum;
    }
};

constexpr int kLanes = kBlock / kWarpSize;

// Block (image, 32 channels): eight threads for a channel look at every eighth pixel.
__global__ void __launch_bounds__(kBlock) average_pixels(const GlobalPoolArgs a) {
    using Parts = double[kLanes][kWarpSize];
    STRIATE_SHARED(Parts, parts);
    const View& v = a.view_x;
    const int lane = threadIdx.x / kWarpSize, own = threadIdx.x % kWarpSize;
    const int64_t chunks = divide_up(v.c, kWarpSize), n = blockIdx.x / chunks;
    const int64_t c = blockIdx.x % chunks * kWarpSize + own, count = v.h * v.w;
    LongSum sum;
    if (c < v.c)
        for (int64_t pixel = lane; pixel < count; pixel += kLanes)
            sum.add(a.x[n * v.image + pixel / v.w * v.row + pixel % v.w * v.pixel + c]);
    parts[lane][own] = sum.total();
    __syncthreads();
    if (lane != 0 || c >= v.c) return;
    double total = 0;
    for (int k = 0; k < kLanes; ++k) total += parts[k][own];
    a.y[n * a.view_y.image + c] = static_cast<float>(total / static_cast<double>(count));
}

__global__ void __launch_bounds__(kBlock) largest_pixel(const GlobalPoolArgs a) {
    struct Best {
        float value;
        int32_t pixel;
    };
    using Parts = Best[kLanes][kWarpSize];
    STRIATE_SHARED(Parts, parts);
    const View& v = a.view_x;
    const int lane = threadIdx.x / kWarpSize, own = threadIdx.x % kWarpSize;
    const int64_t chunks = divide_up(v.c, kWarpSize), n = blockIdx.x / chunks;
    const int64_t c = blockIdx.x % chunks * kWarpSize + own, count = v.h * v.w;
    Best best = {0.0f, -1};
    if (c < v.c)
        for (int64_t pixel = lane; pixel < count; pixel += kLanes) {
            const float value = a.x[n * v.image + pixel / v.w * v.row + pixel % v.w * v.pixel + c];
            if (best.pixel < 0 || wins(value, best.value)) best = {value, static_cast<int32_t>(pixel)};
        }
    parts[lane][own] = best;
    __syncthreads();
    if (lane != 0 || c >= v.c) return;
    for (int k = 1; k < kLanes; ++k) {
        const Best other = parts[k][own];
        if (other.pixel < 0) continue;
        const bool both_nan = other.value != other.value && best.value != best.value;
        const bool same = other.value == best.value || both_nan;  // the first of equals is the winner
        if (same ? other.pixel < best.pixel : wins(other.value, best.value)) best = other;
    }
    a.y[n * a.view_y.image + c] = best.value;
    if (a.winners) a.winners[n * v.c + c] = best.pixel;
}

struct GlobalAverageBackward {
    template <class I>
    static STRIATE_DEVICE void at(const GlobalPoolGradArgs& a, I i) {
        const Place<I> p = place_of(a.view_dx, i);
        const float share = 1.0f / static_cast<float>(a.view_dx.h * a.view_dx.w);
        a.dx[offset_of(a.view_dx, p)] = a.dy[p.n * a.view_dy.image + p.c] * share;
    }
};

struct GlobalMaxBackward {
    template <class I>
    static STRIATE_DEVICE void at(const GlobalPoolGradArgs& a, I i) {
        const Place<I> p = place_of(a.view_dx, i);
        const auto pixel = static_cast<int32_t>(p.y * a.view_dx.w + p.x);
        const bool won = a.winners[p.n * a.view_dx.c + p.c] == pixel;
        a.dx[offset_of(a.view_dx, p)] = won ? a.dy[p.n * a.view_dy.image + p.c] : 0.0f;
    }
};

unsigned channel_blocks(const View& v) {
    return static_cast<unsigned>(v.n * divide_up(v.c, kWarpSize));
}

// Resizing: see ResizeArgs.

// floor((o + 1/2) * in / out), exactly
STRIATE_DEVICE int64_t nearest(int64_t o, int64_t in, int64_t out) {
    return (2 * o + 1) * in / (2 * out);
}
// The first output position whose nearest() is at least i.
STRIATE_DEVICE int64_t first_near(int64_t i, int64_t in, int64_t out) {
    const int64_t above = 2 * out * i - in;
    return above <= 0 ? 0 : divide_up(above, 2 * in);
}

struct Mix {
    int64_t lower, upper;
    float upper_share;
    // How much of an input position is in it.
    STRIATE_DEVICE float share(int64_t i) const {
        return (lower == i ? 1.0f - upper_share : 0.0f) + (upper == i ? upper_share : 0.0f);
    }
};
STRIATE_DEVICE Mix mix(int64_t o, int64_t in, int64_t out) {
    const double place = (static_cast<double>(o) + 0.5) * static_cast<double>(in) / static_cast<double>(out) - 0.5;
    const int64_t below = place < 0 ? -1 : static_cast<int64_t>(place);
    return {below > 0 ? below : 0, below + 1 < in - 1 ? below + 1 : in - 1,
            static_cast<float>(place - static_cast<double>(below))};
}
// Output positions that may mix in input position i: no others do.
STRIATE_DEVICE Windows mixed_from(int64_t i, int64_t in, int64_t out) {
    const int64_t first = (2 * i - 1) * out / (2 * in) - 1, last = (2 * i + 3) * out / (2 * in) + 1;
    return {i == 0 || first < 0 ? 0 : first, i == in - 1 || last > out ? out : last};
}

struct Resize {
    template <class I>
    static STRIATE_DEVICE void at(const ResizeArgs& a, I i) {
        const Place<I> p = place_of(a.view_y, i);
        const View &v = a.view_x, &o = a.view_y;
        const float* const image = a.x + p.n * v.image + p.c;
        float& y = a.y[offset_of(o, p)];
        if (!a.bilinear) {
            y = image[nearest(p.y, v.h, o.h) * v.row + nearest(p.x, v.w, o.w) * v.pixel];
            return;
        }
        const Mix down = mix(p.y, v.h, o.h), across = mix(p.x, v.w, o.w);
        const float* const upper = image + down.lower * v.row;
        const float* const lower = image + down.upper * v.row;
        const int64_t left = across.lower * v.pixel, right = across.upper * v.pixel;
        const float top = upper[left] + (upper[right] - upper[left]) * across.upper_share;
        const float bottom = lower[left] + (lower[right] - lower[left]) * across.upper_share;
        y = top + (bottom - top) * down.upper_share;
    }
};

struct ResizeBackward {
    template <class I>
    static STRIATE_DEVICE void at(const ResizeGradArgs& a, I i) {
        const Place<I> p = place_of(a.view_dx, i);
        const View &o = a.view_dy, &v = a.view_dx;
        const float* const image = a.dy + p.n * o.image + p.c;
        float sum = 0;
        if (!a.bilinear) {
            const int64_t bottom = first_near(p.y + int64_t{1}, v.h, o.h), end = first_near(p.x + int64_t{1}, v.w, o.w);
            for (int64_t y = first_near(p.y, v.h, o.h); y < bottom && y < o.h; ++y)
                for (int64_t x = first_near(p.x, v.w, o.w); x < end && x < o.w; ++x)
                    sum += image[y * o.row + x * o.pixel];
        } else {
            const Windows down = mixed_from(p.y, v.h, o.h), across = mixed_from(p.x, v.w, o.w);
            for (int64_t y = down.begin; y < down.end; ++y) {
                const float line = mix(y, v.h, o.h).share(p.y);
                if (line == 0.0f) continue;
                for (int64_t x = across.begin; x < across.end; ++x) {
                    const float share = mix(x, v.w, o.w).share(p.x);
                    if (share != 0.0f) sum += image[y * o.row + x * o.pixel] * (line * share);
                }
            }
        }
        a.dx[offset_of(v, p)] = sum;
    }
};

}  // namespace

void max_pool(const MaxPoolArgs& a, cudaStream_t stream) {
    for_each<MaxPool>(a, elements(a.view_y), stream);
}
void max_pool_backward(const MaxPoolGradArgs& a, cudaStream_t stream) {
    for_each<MaxPoolBackward>(a, elements(a.view_dx), stream);
}
void average_pool(const AveragePoolArgs& a, cudaStream_t stream) {
    for_each<AveragePool>(a, elements(a.view_y), stream);
}
void average_pool_backward(const AveragePoolGradArgs& a, cudaStream_t stream) {
    for_each<AveragePoolBackward>(a, elements(a.view_dx), stream);
}
void global_average_pool(const GlobalPoolArgs& a, cudaStream_t stream) {
    STRIATE_LAUNCH(average_pixels, channel_blocks(a.view_x), kBlock, stream, a);
}
void global_average_pool_backward(const GlobalPoolGradArgs& a, cudaStream_t stream) {
    for_each<GlobalAverageBackward>(a, elements(a.view_dx), stream);
}
void global_max_pool(const GlobalPoolArgs& a, cudaStream_t stream) {
    STRIATE_LAUNCH(largest_pixel, channel_blocks(a.view_x), kBlock, stream, a);
}
void global_max_pool_backward(const GlobalPoolGradArgs& a, cudaStream_t stream) {
    for_each<GlobalMaxBackward>(a, elements(a.view_dx), stream);
}
void resize(const ResizeArgs& a, cudaStream_t stream) {
    for_each<Resize>(a, elements(a.view_y), stream);
}
void resize_backward(const ResizeGradArgs& a, cudaStream_t stream) {
    for_each<ResizeBackward>(a, elements(a.view_dx), stream);
}

}  // namespace striate::cuda
