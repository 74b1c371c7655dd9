// The optimizers' update rules, a block a piece of the parameters. See src/kernels/optimizer.cpp for whose they are.
#include "device.cuh"

namespace striate::cuda {
namespace {

// The largest gradient whose square is finite, with room for a sum of squares.
constexpr float kLargestSquared = 1e18f;

struct Sgd {
    static constexpr bool kSquares = false;
    static STRIATE_DEVICE float step(const UpdateArgs& a, int64_t i, float p, float g) {
        const float rate = a.scalars[0], momentum = a.rate0;
        if (!a.slot0) return p - g * rate;
        const float m = momentum * a.slot0[i] - g * rate;
        a.slot0[i] = m;
        return a.nesterov ? p + momentum * m - g * rate : p + m;
    }
};

struct RmsProp {
    static constexpr bool kSquares = true;
    static STRIATE_DEVICE float step(const UpdateArgs& a, int64_t i, float p, float g) {
        const float square = a.rate0 * a.slot0[i] + a.keep0 * g * g;
        a.slot0[i] = square;
        float under = square + a.epsilon;
        if (a.centered) {
            const float mean = a.rate0 * a.slot2[i] + a.keep0 * g;
            a.slot2[i] = mean;
            under = square - mean * mean + a.epsilon;
        }
        const float step = a.scalars[0] * g / sqrtf(under);
        if (!a.slot1) return p - step;
        const float moving = a.rate1 * a.slot1[i] + step;
        a.slot1[i] = moving;
        return p - moving;
    }
};

struct Adagrad {
    static constexpr bool kSquares = true;
    static STRIATE_DEVICE float step(const UpdateArgs& a, int64_t i, float p, float g) {
        const float sum = a.slot0[i] + g * g;
        a.slot0[i] = sum;
        return p - a.scalars[0] * g / sqrtf(sum + a.epsilon);
    }
};

struct Adadelta {
    static constexpr bool kSquares = true;
    static STRIATE_DEVICE float step(const UpdateArgs& a, int64_t i, float p, float g) {
        const float square = a.rate0 * a.slot0[i] + a.keep0 * g * g;
        a.slot0[i] = square;
        const float step = g * sqrtf(a.slot1[i] + a.epsilon) / sqrtf(square + a.epsilon);
        a.slot1[i] = a.rate0 * a.slot1[i] + a.keep0 * step * step;
        return p - a.scalars[0] * step;
    }
};

struct Adam {
    static constexpr bool kSquares = true;
    static STRIATE_DEVICE float step(const UpdateArgs& a, int64_t i, float p, float g) {
        const float mean = a.slot0[i] + (g - a.slot0[i]) * a.keep0;
        float square = a.slot1[i] + (g * g - a.slot1[i]) * a.keep1;
        a.slot0[i] = mean;
        a.slot1[i] = square;
        if (a.amsgrad) {
            if (a.slot2[i] > square) square = a.slot2[i];
            a.slot2[i] = square;
        }
        return p - mean * a.scalars[1] / (sqrtf(square) + a.epsilon);
    }
};

struct Nadam {
    static constexpr bool kSquares = true;
    static STRIATE_DEVICE float step(const UpdateArgs& a, int64_t i, float p, float g) {
        const float mean = a.slot0[i] + (g - a.slot0[i]) * a.keep0;
        const float square = a.slot1[i] + (g * g - a.slot1[i]) * a.keep1;
        a.slot0[i] = mean;
        a.slot1[i] = square;
        return p - (mean * a.scalars[1] + g * a.scalars[2]) / (sqrtf(square) * a.scalars[3] + a.epsilon);
    }
};

struct Lion {
    static constexpr bool kSquares = false;
    static STRIATE_DEVICE float step(const UpdateArgs& a, int64_t i, float p, float g) {
        const float rate = a.scalars[0], mean = a.slot0[i];
        const float blend = mean * a.rate0 + g * a.keep0;
        a.slot0[i] = mean * a.rate1 + g * a.keep1;
        return p - (blend > 0.0f ? rate : blend < 0.0f ? -rate : blend * rate);
    }
};

// What one weight adds to the penalty of its piece, and the gradient of the loss together with it.
STRIATE_DEVICE double penalty_of(const UpdatePiece& piece, float p) {
    const double w = p;
    return piece.l1 * fabs(w) + piece.l2 * w * w;
}
STRIATE_DEVICE bool penalised(const UpdatePiece& piece) {
    return piece.l1 != 0.0f || piece.l2 != 0.0f;
}
STRIATE_DEVICE float with_penalty(const UpdatePiece& piece, float g, float p) {
    const float side = p > 0.0f ? piece.l1 : p < 0.0f ? -piece.l1 : 0.0f;
    return g + (2.0f * piece.l2 * p + side);
}

template <class Rule>
__global__ void __launch_bounds__(kBlock) update_piece(const UpdateArgs a) {
    const UpdatePiece piece = a.pieces[blockIdx.x];
    const float most = Rule::kSquares ? kLargestSquared : INFINITY;
    const float limit = a.clip_value > 0.0f && a.clip_value < most ? a.clip_value : most;
    const bool infinite_is_nan = Rule::kSquares && !(a.clip_value > 0.0f);
    const float scale = a.clip_scales ? a.clip_scales[piece.segment] : 1.0f;
    const float decay = piece.decays ? a.weight_decay * a.scalars[0] : 0.0f;
    float* const parameters = a.parameters + piece.value;
    const float* const gradients = a.gradients + piece.offset;
    const bool with = penalised(piece);
    double penalty = 0;
    for (int64_t i = threadIdx.x; i < piece.count; i += kBlock) {
        const float p = parameters[i], raw = with ? with_penalty(piece, gradients[i], p) : gradients[i];
        if (with) penalty += penalty_of(piece, p);
        float g = raw * scale;
        g = g > limit ? limit : g < -limit ? -limit : g;
        if (infinite_is_nan) g += (raw - raw) * scale;
        parameters[i] = Rule::step(a, piece.offset + i, p - p * decay, g);
    }
    if (!a.penalties) return;
    const double total = block_sum(penalty);
    if (threadIdx.x == 0) a.penalties[blockIdx.x] = total;
}

__global__ void __launch_bounds__(kBlock) penalise_piece(const PenaltiesArgs a) {
    const UpdatePiece piece = a.pieces[blockIdx.x];
    double part = 0;
    for (int64_t i = threadIdx.x; penalised(piece) && i < piece.count; i += kBlock)
        part += penalty_of(piece, a.parameters[piece.value + i]);
    const double total = block_sum(part);
    if (threadIdx.x == 0) a.penalties[blockIdx.x] = total;
}

__global__ void __launch_bounds__(kBlock) square_piece(const GradientSquaresArgs a) {
    const UpdatePiece piece = a.pieces[blockIdx.x];
    const float* const g = a.gradients + piece.offset;
    const float* const p = a.parameters + piece.value;
    const bool with = penalised(piece);
    double part = 0;
    for (int64_t i = threadIdx.x; i < piece.count; i += kBlock) {
        const double whole = with ? with_penalty(piece, g[i], p[i]) : g[i];
        part += whole * whole;
    }
    const double total = block_sum(part);
    if (threadIdx.x == 0) a.partials[blockIdx.x] = total;
}

// The first piece of each segment adds up those that follow it.
struct ClipScales {
    template <class I>
    static STRIATE_DEVICE void at(const ClipScalesArgs& a, I i) {
        const int64_t segment = a.pieces[i].segment;
        if (i > 0 && a.pieces[i - 1].segment == segment) return;
        double total = 0;
        for (int64_t k = i; k < a.count && a.pieces[k].segment == segment; ++k) total += a.partials[k];
        const double norm = sqrt(total);
        a.scales[segment] = norm > a.limit ? static_cast<float>(a.limit / norm) : 1.0f;
    }
};

template <class Rule>
void update(const UpdateArgs& a, cudaStream_t stream) {
    if (a.count == 0) return;
    const auto kernel = &update_piece<Rule>;
    STRIATE_LAUNCH(kernel, static_cast<unsigned>(a.count), kBlock, stream, a);
}

}  // namespace

void update_sgd(const UpdateArgs& a, cudaStream_t stream) {
    update<Sgd>(a, stream);
}
void update_rmsprop(const UpdateArgs& a, cudaStream_t stream) {
    update<RmsProp>(a, stream);
}
void update_adagrad(const UpdateArgs& a, cudaStream_t stream) {
    update<Adagrad>(a, stream);
}
void update_adadelta(const UpdateArgs& a, cudaStream_t stream) {
    update<Adadelta>(a, stream);
}
void update_adam(const UpdateArgs& a, cudaStream_t stream) {
    update<Adam>(a, stream);
}
void update_nadam(const UpdateArgs& a, cudaStream_t stream) {
    update<Nadam>(a, stream);
}
void update_lion(const UpdateArgs& a, cudaStream_t stream) {
    update<Lion>(a, stream);
}
void gradient_squares(const GradientSquaresArgs& a, cudaStream_t stream) {
    if (a.count > 0) STRIATE_LAUNCH(square_piece, static_cast<unsigned>(a.count), kBlock, stream, a);
}
void penalties(const PenaltiesArgs& a, cudaStream_t stream) {
    if (a.count > 0) STRIATE_LAUNCH(penalise_piece, static_cast<unsigned>(a.count), kBlock, stream, a);
}
void clip_scales(const ClipScalesArgs& a, cudaStream_t stream) {
    for_each<ClipScales>(a, a.count, stream);
}

}  // namespace striate::cuda
