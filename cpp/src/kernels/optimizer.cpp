// The optimizers' update rules. Plain loops: the compiler vectorises them with the square root and division of each
// ISA.
#include "kernels/args.hpp"
#include "kernels/simd.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

// The largest gradient whose square is finite, with room for a sum of squares. Rules that divide by the root of squares
// do the same step for larger ones.
constexpr float kLargestSquared = 1e18f;

// The sum of term(i) over [0, count), in a fixed order that the compiler can vectorise.
template <class Term>
STRIATE_INLINE double sum_of(int64_t count, Term term) {
    double lanes[kWidth] = {};
    int64_t i = 0;
    for (; i + kWidth <= count; i += kWidth)
        for (int j = 0; j < kWidth; ++j) lanes[j] += term(i + j);
    double total = 0.0;
    for (; i < count; ++i) total += term(i);
    for (int j = 0; j < kWidth; ++j) total += lanes[j];
    return total;
}

STRIATE_INLINE bool penalised(const UpdatePiece& piece) {
    return piece.l1 != 0.0f || piece.l2 != 0.0f;
}

STRIATE_INLINE double penalty(const UpdatePiece& piece, const float* __restrict p) {
    if (!penalised(piece)) return 0.0;
    const double l1 = piece.l1, l2 = piece.l2;
    return sum_of(piece.count, [=](int64_t i) {
        const double w = p[i];
        return l1 * __builtin_fabs(w) + l2 * w * w;
    });
}

// The gradient of the loss and the penalty.
STRIATE_INLINE float with_penalty(const UpdatePiece& piece, float g, float p) {
    const float side = p > 0.0f ? piece.l1 : (p < 0.0f ? -piece.l1 : 0.0f);
    return g + (2.0f * piece.l2 * p + side);
}

template <bool squares, bool with, class Rule>
STRIATE_INLINE void update_piece(const UpdateArgs& a, const UpdatePiece& piece, Rule rule) {
    const float most = squares ? kLargestSquared : __builtin_inff();
    const float limit = a.clip_value > 0.0f && a.clip_value < most ? a.clip_value : most;
    const bool infinite_is_nan = squares && !(a.clip_value > 0.0f);
    const float scale = a.clip_scales ? a.clip_scales[piece.segment] : 1.0f;
    const float decay = piece.decays ? a.weight_decay * a.scalars[0] : 0.0f;
    float* __restrict p = a.parameters + piece.value;
    const float* __restrict g = a.gradients + piece.offset;
#pragma GCC ivdep
    for (int64_t i = 0; i < piece.count; ++i) {
        const float whole = with ? with_penalty(piece, g[i], p[i]) : g[i];
        float gradient = whole * scale;
        gradient = gradient > limit ? limit : gradient;
        gradient = gradient < -limit ? -limit : gradient;
        if (infinite_is_nan) gradient += (whole - whole) * scale;
        p[i] = rule(piece.offset + i, p[i] - p[i] * decay, gradient);
    }
}

// Calls rule(i, parameter, gradient) -> new parameter for each element of the pieces [begin, end). An infinite gradient
// is handed over as NaN where `squares` says that the rule squares it.
template <bool squares = false, class Rule>
STRIATE_INLINE void update(const UpdateArgs& a, int64_t begin, int64_t end, Rule rule) {
    for (int64_t u = begin; u < end; ++u) {
        const UpdatePiece piece = a.pieces[u];
        if (a.penalties) a.penalties[u] = penalty(piece, a.parameters + piece.value);
        if (penalised(piece)) {
            update_piece<squares, true>(a, piece, rule);
        } else {
            update_piece<squares, false>(a, piece, rule);
        }
    }
}

}  // namespace

// v -= lr * g; with momentum (Polyak 1964), m = momentum * m - lr * g and v += m, or Nesterov's v += momentum * m - lr
// * g.
void update_sgd(const UpdateArgs& a, int64_t begin, int64_t end) {
    const float rate = a.scalars[0], momentum = a.rate0;
    float* __restrict m = a.slot0;
    if (!m) {
        update(a, begin, end, [=](int64_t, float p, float g) { return p - g * rate; });
    } else if (a.nesterov) {
        update(a, begin, end, [=](int64_t i, float p, float g) {
            m[i] = momentum * m[i] - g * rate;
            return p + momentum * m[i] - g * rate;
        });
    } else {
        update(a, begin, end, [=](int64_t i, float p, float g) {
            m[i] = momentum * m[i] - g * rate;
            return p + m[i];
        });
    }
}

// Tieleman & Hinton 2012. Slots: mean square, momentum (if any), mean gradient (if centered).
void update_rmsprop(const UpdateArgs& a, int64_t begin, int64_t end) {
    const float rate = a.scalars[0], rho = a.rate0, keep = a.keep0, momentum = a.rate1, epsilon = a.epsilon;
    float* __restrict square = a.slot0;
    float* __restrict moving = a.slot1;
    float* __restrict mean = a.slot2;
    const auto denominator = [=](int64_t i, float g) __attribute__((always_inline)) {
        square[i] = rho * square[i] + keep * g * g;
        return square[i] + epsilon;
    };
    const auto centered = [=](int64_t i, float g) __attribute__((always_inline)) {
        square[i] = rho * square[i] + keep * g * g;
        mean[i] = rho * mean[i] + keep * g;
        return square[i] - mean[i] * mean[i] + epsilon;
    };
    const auto with_momentum = [=](int64_t i, float p, float step) __attribute__((always_inline)) {
        moving[i] = momentum * moving[i] + step;
        return p - moving[i];
    };
    if (a.centered && moving) {
        update<true>(a, begin, end, [=](int64_t i, float p, float g) {
            return with_momentum(i, p, rate * g / __builtin_sqrtf(centered(i, g)));
        });
    } else if (a.centered) {
        update<true>(a, begin, end,
                     [=](int64_t i, float p, float g) { return p - rate * g / __builtin_sqrtf(centered(i, g)); });
    } else if (moving) {
        update<true>(a, begin, end, [=](int64_t i, float p, float g) {
            return with_momentum(i, p, rate * g / __builtin_sqrtf(denominator(i, g)));
        });
    } else {
        update<true>(a, begin, end,
                     [=](int64_t i, float p, float g) { return p - rate * g / __builtin_sqrtf(denominator(i, g)); });
    }
}

// Duchi et al. 2011. Slot: sum of squares.
void update_adagrad(const UpdateArgs& a, int64_t begin, int64_t end) {
    const float rate = a.scalars[0], epsilon = a.epsilon;
    float* __restrict sum = a.slot0;
    update<true>(a, begin, end, [=](int64_t i, float p, float g) {
        sum[i] += g * g;
        return p - rate * g / __builtin_sqrtf(sum[i] + epsilon);
    });
}

// Zeiler 2012. Slots: mean square of the gradient, mean square of the step.
void update_adadelta(const UpdateArgs& a, int64_t begin, int64_t end) {
    const float rate = a.scalars[0], rho = a.rate0, keep = a.keep0, epsilon = a.epsilon;
    float* __restrict square = a.slot0;
    float* __restrict step_square = a.slot1;
    update<true>(a, begin, end, [=](int64_t i, float p, float g) {
        square[i] = rho * square[i] + keep * g * g;
        const float step = g * __builtin_sqrtf(step_square[i] + epsilon) / __builtin_sqrtf(square[i] + epsilon);
        step_square[i] = rho * step_square[i] + keep * step * step;
        return p - rate * step;
    });
}

// Kingma & Ba 2015, with the bias corrections folded into the rate (scalars[1]); AMSGrad of Reddi et al. 2018. Slots:
// mean, mean square, largest mean square.
void update_adam(const UpdateArgs& a, int64_t begin, int64_t end) {
    const float rate = a.scalars[1], keep1 = a.keep0, keep2 = a.keep1, epsilon = a.epsilon;
    float* __restrict mean = a.slot0;
    float* __restrict square = a.slot1;
    float* __restrict largest = a.slot2;
    if (a.amsgrad) {
        update<true>(a, begin, end, [=](int64_t i, float p, float g) {
            mean[i] += (g - mean[i]) * keep1;
            square[i] += (g * g - square[i]) * keep2;
            largest[i] = largest[i] > square[i] ? largest[i] : square[i];
            return p - mean[i] * rate / (__builtin_sqrtf(largest[i]) + epsilon);
        });
    } else {
        update<true>(a, begin, end, [=](int64_t i, float p, float g) {
            mean[i] += (g - mean[i]) * keep1;
            square[i] += (g * g - square[i]) * keep2;
            return p - mean[i] * rate / (__builtin_sqrtf(square[i]) + epsilon);
        });
    }
}

// Dozat 2016, with the bias corrections and the warming of the momentum folded into factors of the mean (scalars[1]),
// the gradient (scalars[2]) and the root of the mean square (scalars[3]). Slots: mean, mean square.
void update_nadam(const UpdateArgs& a, int64_t begin, int64_t end) {
    const float of_mean = a.scalars[1], of_gradient = a.scalars[2], of_root = a.scalars[3];
    const float keep1 = a.keep0, keep2 = a.keep1, epsilon = a.epsilon;
    float* __restrict mean = a.slot0;
    float* __restrict square = a.slot1;
    update<true>(a, begin, end, [=](int64_t i, float p, float g) {
        mean[i] += (g - mean[i]) * keep1;
        square[i] += (g * g - square[i]) * keep2;
        return p - (mean[i] * of_mean + g * of_gradient) / (__builtin_sqrtf(square[i]) * of_root + epsilon);
    });
}

// Chen et al. 2023. Slot: mean.
void update_lion(const UpdateArgs& a, int64_t begin, int64_t end) {
    const float rate = a.scalars[0], beta1 = a.rate0, beta2 = a.rate1, keep1 = a.keep0, keep2 = a.keep1;
    float* __restrict mean = a.slot0;
    update(a, begin, end, [=](int64_t i, float p, float g) {
        const float blend = mean[i] * beta1 + g * keep1;
        mean[i] = mean[i] * beta2 + g * keep2;
        const float step = blend > 0.0f ? rate : (blend < 0.0f ? -rate : blend * rate);
        return p - step;
    });
}

void gradient_squares(const GradientSquaresArgs& a, int64_t begin, int64_t end) {
    for (int64_t u = begin; u < end; ++u) {
        const UpdatePiece piece = a.pieces[u];
        const float* g = a.gradients + piece.offset;
        const float* p = a.parameters + piece.value;
        if (penalised(piece)) {
            a.partials[u] = sum_of(piece.count, [=](int64_t i) {
                const double whole = with_penalty(piece, g[i], p[i]);
                return whole * whole;
            });
        } else {
            a.partials[u] = sum_of(piece.count, [=](int64_t i) { return static_cast<double>(g[i]) * g[i]; });
        }
    }
}

void penalties(const PenaltiesArgs& a, int64_t begin, int64_t end) {
    for (int64_t u = begin; u < end; ++u) a.penalties[u] = penalty(a.pieces[u], a.parameters + a.pieces[u].value);
}

void clip_scales(const ClipScalesArgs& a, int64_t, int64_t) {
    for (int64_t i = 0; i < a.count;) {
        const int64_t segment = a.pieces[i].segment;
        double total = 0;
        for (; i < a.count && a.pieces[i].segment == segment; ++i) total += a.partials[i];
        const double norm = __builtin_sqrt(total);
        a.scales[segment] = norm > a.limit ? static_cast<float>(a.limit / norm) : 1.0f;
    }
}

}  // namespace striate::kernels::STRIATE_ISA
