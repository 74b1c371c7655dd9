// Convolution whose 2 x 2 maxima alone have gradients: gradient to weights and bias, a quarter of the work of the
// definition.
#include "kernels/args_conv.hpp"
#include "kernels/args_pool.hpp"
#include "kernels/lanes.hpp"
#include "kernels/unroll.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

constexpr int kTapsAtOnce = 9;  // accumulators that leave room in 16 registers

// The gradients of a vector of maxima, ready to be multiplied with the values at the maxima.
class Winners {
  public:
    STRIATE_INLINE Winners(Vec gradient, VecI place) : gradient_(select(place == kNoPlace, Vec{}, gradient)) {
#if defined(__AVX__)
        place_ = reinterpret_cast<decltype(place_)>(place);
#else
        for (int i = 0; i < 4; ++i) of_place_[i] = select(place == i, gradient_, Vec{});
#endif
    }

    STRIATE_INLINE Vec gradient() const { return gradient_; }

    // sum + gradient * four[place]
    STRIATE_INLINE Vec add(Vec sum, const float* four) const {
#if defined(__AVX512F__)
        // The forms with a mask, of all lanes: GCC warns of its own header for the others.
        const __m512 fours = _mm512_maskz_broadcast_f32x4(0xffff, _mm_loadu_ps(four));
        return sum + gradient_ * _mm512_maskz_permutevar_ps(0xffff, fours, place_);
#elif defined(__AVX__)
        return sum +
               gradient_ * _mm256_permutevar_ps(_mm256_broadcast_ps(reinterpret_cast<const __m128*>(four)), place_);
#else
        for (int i = 0; i < 4; ++i) sum += of_place_[i] * four[i];
        return sum;
#endif
    }

  private:
    Vec gradient_;
#if defined(__AVX512F__)
    __m512i place_;
#elif defined(__AVX__)
    __m256i place_;
#else
    Vec of_place_[4];
#endif
};

// Columns of fours in a row.
STRIATE_INLINE int64_t fours_across(const MaximaWeightArgs& a) {
    return 2 * (a.cols - 1) * a.col_stride + (a.tap_cols - 1) * a.col_dilation + 1;
}

// For a row of windows: to[r][q][d] = the four floats that meet a tap at row r, column q, channel d of the places of a
// window.
STRIATE_INLINE void gather_fours(const MaximaWeightArgs& a, const float* x, float* to) {
    const int64_t across = fours_across(a), right = a.col_stride * a.x_pixel;
    for (int64_t r = 0; r < a.tap_rows; ++r) {
        const float *upper = x + r * a.tap_row, *lower = upper + a.x_row;
        if (right == 1) {  // one channel: adjacent values are
            for (int64_t q = 0; q < across; ++q, to += 4) {
                __builtin_memcpy(to, upper + q, 8);
                __builtin_memcpy(to + 2, lower + q, 8);
            }
            continue;
        }
        for (int64_t q = 0; q < across; ++q, upper += a.x_pixel, lower += a.x_pixel)
            for (int64_t d = 0; d < a.depth; ++d, to += 4) {
                to[0] = upper[d], to[1] = upper[right + d];
                to[2] = lower[d], to[3] = lower[right + d];
            }
    }
}

// Rows of windows of an image whose fours are at hand.
struct Rows {
    const float* fours;
    const float* dy;
    const uint8_t* places;
    int64_t count;
};

// Adds to kTaps rows of the slot, and to the bias's sums unless those are null.
template <int kTaps>
void add_taps(const MaximaWeightArgs& a, const Rows& rows, const int64_t* offsets, float* slot, float* bias) {
    const int64_t row_fours = a.tap_rows * fours_across(a) * a.depth * 4, step = 2 * a.col_stride * a.depth * 4;
    each_vector(a.channels, [&](int64_t i, auto lanes) {
        Vec sums[kTaps] = {}, gradients = {};
        for (int64_t row = 0; row < rows.count; ++row) {
            const float *four = rows.fours + row * row_fours, *dy = rows.dy + row * a.dy_row + i;
            const uint8_t* places = rows.places + row * a.cols * a.channels + i;
            for (int64_t col = 0; col < a.cols; ++col) {
                const Winners winners(lanes.load(dy), lanes.load_bytes(places));
                gradients += winners.gradient();
                unroll<0, kTaps>(
                    [&](auto t) STRIATE_BODY { sums[t.value] = winners.add(sums[t.value], four + offsets[t.value]); });
                four += step, dy += a.dy_pixel, places += a.channels;
            }
        }
        unroll<0, kTaps>([&](auto t) STRIATE_BODY {
            float* to = slot + t.value * a.channels + i;
            lanes.store(to, lanes.load(to) + sums[t.value]);
        });
        if (bias) lanes.store(bias + i, lanes.load(bias + i) + gradients);
    });
}

}  // namespace

void maxima_weights(const MaximaWeightArgs& a, int64_t begin, int64_t end) {
    using Add = void (*)(const MaximaWeightArgs&, const Rows&, const int64_t*, float*, float*);
    static constexpr Add by_taps[kTapsAtOnce + 1] = {nullptr,     add_taps<1>, add_taps<2>, add_taps<3>, add_taps<4>,
                                                     add_taps<5>, add_taps<6>, add_taps<7>, add_taps<8>, add_taps<9>};
    const int64_t across = fours_across(a), taps = a.tap_rows * a.tap_cols * a.depth, lines = a.images * a.rows;
    int64_t offsets[kMaximaTaps];
    for (int64_t k = 0; k < taps; ++k) {
        const int64_t tap = k / a.depth, q = tap % a.tap_cols * a.col_dilation;
        offsets[k] = ((tap / a.tap_cols * across + q) * a.depth + k % a.depth) * 4;
    }
    for (int64_t piece = begin; piece < end; ++piece) {
        float *slot = a.slots + piece * taps * a.channels, *bias = a.bias ? a.bias + piece * a.channels : nullptr;
        for (int64_t i = 0; i < taps * a.channels; ++i) slot[i] = 0;
        for (int64_t i = 0; bias && i < a.channels; ++i) bias[i] = 0;
        const int64_t last = piece_begin(lines, a.pieces, piece + 1);
        for (int64_t line = piece_begin(lines, a.pieces, piece); line < last;) {
            const int64_t image = line / a.rows, first = line % a.rows;
            const int64_t count = lesser(lesser(a.block_rows, a.rows - first), last - line);
            for (int64_t row = 0; row < count; ++row)
                gather_fours(a, a.x + a.x_offset + image * a.x_image + 2 * (first + row) * a.x_row,
                             a.scratch + row * a.tap_rows * across * a.depth * 4);
            const Rows rows = {a.scratch, a.dy + image * a.dy_image + first * a.dy_row,
                               a.places + line * a.cols * a.channels, count};
            for (int64_t k = 0; k < taps; k += kTapsAtOnce)
                by_taps[lesser(kTapsAtOnce, taps - k)](a, rows, offsets + k, slot + k * a.channels,
                                                       k == 0 ? bias : nullptr);
            line += count;
        }
    }
}

}  // namespace striate::kernels::STRIATE_ISA
