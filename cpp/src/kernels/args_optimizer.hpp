#pragma once

#include <stdint.h>

namespace striate::kernels {

// A run of parameters that is one unit of work: `count` of them, from `offset` on in gradients and slots and from
// `value` on in the parameters. `segment` says which variable's clipping scale it takes, `decays` whether weight decay
// applies to it; l1 and l2 are the factors of its penalty, l1 * sum(|w|) + l2 * sum(w * w).
struct UpdatePiece {
    int64_t offset, count, segment, value;
    float l1, l2;
    bool decays;
};

// One fused pass over the arena of parameters: add the penalty's gradient, clip, decay the weights, move the slots,
// step. A unit is a piece; penalties[i], where there are any, gets the penalty of piece i before the step. scalars[0]
// is the learning rate; a rule with bias correction finds its factors behind it.
struct UpdateArgs {
    int64_t count;     // of pieces
    int64_t size;      // of the arenas of gradients and slots, in floats
    int64_t values;    // of the arena of parameters
    int64_t segments;  // that have a clipping scale
    int64_t scalar_count;
    const UpdatePiece* pieces;
    float* parameters;
    const float* gradients;
    float *slot0, *slot1, *slot2;
    const float* scalars;
    const float* clip_scales;  // of each segment, or null
    double* penalties;         // or null: no piece has a penalty
    float clip_value;          // 0: none
    float weight_decay;
    float rate0, rate1;  // momentum; rho and momentum; beta_1 and beta_2
    float keep0, keep1;  // 1 - rate0 and 1 - rate1, rounded once
    float epsilon;
    bool nesterov, centered, amsgrad;
};

// partials[i] = the sum of squares of the gradient of piece i, its penalty's included, in double.
struct GradientSquaresArgs {
    int64_t count, size, values;
    const UpdatePiece* pieces;
    const float* parameters;
    const float* gradients;
    double* partials;
};

// penalties[i] = the penalty of piece i. A unit is a piece.
struct PenaltiesArgs {
    int64_t count, values;
    const UpdatePiece* pieces;
    const float* parameters;
    double* penalties;
};

// scales[s] = limit / norm where the norm of the gradient of segment s exceeds `limit`, else 1. The norm follows from
// the partials of its pieces, which follow each other. One unit.
struct ClipScalesArgs {
    int64_t count, segments;
    const UpdatePiece* pieces;
    const double* partials;
    float* scales;
    double limit;
};

}  // namespace striate::kernels
