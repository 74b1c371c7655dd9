#include "kernels/activations.hpp"
#include "kernels/lanes.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

// A parameter of every channel, ready for vectors that run over several narrow pixels: repeated for each of `abreast`
// of them, or in its own place where that is 1.
class Repeated {
  public:
    STRIATE_INLINE const float* set(const float* values, int64_t c, int64_t abreast) {
        if (abreast == 1) return values;
        for (int64_t i = 0; i < c * abreast; ++i) room_[i] = values[i % c];
        return room_;
    }

  private:
    float room_[kWidest];
};

// Calls f(offsets, i, lanes) for every vector of the strip, where channel parameters are at i.
template <int K, class F>
STRIATE_INLINE void each_parameter(const View (&views)[K], const int64_t* offsets, int64_t pixels, bool contiguous,
                                   int64_t period, F f) {
    const int64_t c = views[0].c;
    const int64_t runs = contiguous ? 1 : pixels, length = contiguous ? pixels * c : c;
    for (int64_t run = 0; run < runs; ++run)
        for (int64_t p = 0; p < length; p += period) {
            int64_t at[K];
            for (int k = 0; k < K; ++k) at[k] = offsets[k] + run * views[k].pixel + p;
            each_vector(lesser(period, length - p), [&](int64_t i, auto lanes) { f(at, i, lanes); });
        }
}

template <bool kMean, bool kShift, ActivationKind kKind>
STRIATE_INLINE void forward(const ChannelAffineArgs& a, int64_t begin, int64_t end) {
    const View views[] = {a.view_x, a.view_y};
    const int64_t c = a.view_x.c, abreast = pixels_abreast(c, all_packed(views));
    Repeated means, scales, shifts;
    const float *mean = nullptr, *scale = nullptr, *shift = nullptr;
    int64_t prepared = -1;
    each_strip(
        views, a.image_stride != 0, begin, end, [&](const int64_t* offsets, int64_t first, int64_t n, bool packed) {
            const int64_t image = a.image_stride ? first / (a.view_x.h * a.view_x.w) : 0;
            if (image != prepared) {
                if (kMean) mean = means.set(a.mean + image * a.image_stride, c, abreast);
                scale = scales.set(a.scale + image * a.image_stride, c, abreast);
                if (kShift) shift = shifts.set(a.shift, c, abreast);
                prepared = image;
            }
            each_parameter(views, offsets, n, packed, c * abreast, [&](const int64_t* at, int64_t i, auto lanes) {
                Vec v = lanes.load(a.x + at[0] + i);
                if (kMean) v = v - lanes.load(mean + i);
                v = scaled<kShift>(v, lanes.load(scale + i), kShift ? lanes.load(shift + i) : Vec{});
                lanes.store(a.y + at[1] + i, activated<kKind>(v));
            });
        });
}

template <bool kSlope, ActivationKind kKind, bool kShift>
STRIATE_INLINE void backward(const ChannelAffineGradArgs& a, int64_t begin, int64_t end) {
    constexpr bool kApplied = kKind != ActivationKind::linear, kCentred = kSlope || kApplied;
    const View views[] = {a.view_dy, a.view_dx, kCentred ? a.view_x : a.view_dy};
    const int64_t c = a.view_dy.c, abreast = pixels_abreast(c, all_packed(views));
    Repeated means, scales, shifts, slopes, biases;
    const float *mean = nullptr, *scale = nullptr, *shift = nullptr, *slope = nullptr, *offset = nullptr;
    int64_t prepared = -1;
    each_strip(
        views, a.image_stride != 0, begin, end, [&](const int64_t* offsets, int64_t first, int64_t n, bool packed) {
            const int64_t image = a.image_stride ? first / (a.view_dy.h * a.view_dy.w) : 0;
            if (image != prepared) {
                scale = scales.set(a.scale + image * a.image_stride, c, abreast);
                if (kCentred) mean = means.set(a.mean + image * a.image_stride, c, abreast);
                if (kShift) shift = shifts.set(a.shift, c, abreast);
                if (kSlope) {
                    slope = slopes.set(a.slope + image * a.image_stride, c, abreast);
                    offset = biases.set(a.offset + image * a.image_stride, c, abreast);
                }
                prepared = image;
            }
            each_parameter(views, offsets, n, packed, c * abreast, [&](const int64_t* at, int64_t i, auto lanes) {
                Vec g = lanes.load(a.dy + at[0] + i);
                const Vec factor = lanes.load(scale + i);
                const Vec centred = kCentred ? lanes.load(a.x + at[2] + i) - lanes.load(mean + i) : Vec{};
                if (kApplied)
                    g = passed_back<kKind>(g, scaled<kShift>(centred, factor, kShift ? lanes.load(shift + i) : Vec{}));
                g = g * factor;
                if (kSlope) g = g + centred * lanes.load(slope + i) + lanes.load(offset + i);
                lanes.store(a.dx + at[1] + i, g);
            });
        });
}

}  // namespace

void channel_affine(const ChannelAffineArgs& a, int64_t begin, int64_t end) {
    choose_activation(a.activation, [&](auto kind) {
        constexpr bool kPlain = kind.linear || kind.value == ActivationKind::relu;
        if constexpr (kPlain) {
            choose(a.mean != nullptr, [&](auto mean) {
                choose(a.shift != nullptr,
                       [&](auto shift) { forward<mean.value, shift.value, kind.value>(a, begin, end); });
            });
        } else {
            forward<true, true, kind.value>(a, begin, end);
        }
    });
}

void channel_affine_backward(const ChannelAffineGradArgs& a, int64_t begin, int64_t end) {
    choose_activation(a.activation, [&](auto kind) {
        choose(a.slope != nullptr, [&](auto slope) {
            choose(!kind.linear && a.shift,
                   [&](auto shift) { backward<slope.value, kind.value, shift.value>(a, begin, end); });
        });
    });
}

}  // namespace striate::kernels::STRIATE_ISA
