#pragma once

#include <stdint.h>

namespace striate::kernels {

// A run of parameters that is one unit of work; `segment` says which variable's clipping scale it takes, `decays`
// whether weight decay applies to it.
struct UpdatePiece {
    int64_t offset, count, segment;
    bool decays;
};

// One fused pass over the arena of parameters: clip the gradient, decay the weights, move the slots, step. A unit is a
// piece. scalars[0] is the learning rate; a rule with bias correction finds its factors behind it.
struct UpdateArgs {
    int64_t count;     // of pieces
    int64_t size;      // of the arenas, in floats
    int64_t segments;  // that have a clipping scale
    int64_t scalar_count;
    const UpdatePiece* pieces;
    float* parameters;
    const float* gradients;
    float *slot0, *slot1, *slot2;
    const float* scalars;
    const float* clip_scales;  // of each segment, or null
    float clip_value;          // 0: none
    float weight_decay;
    float rate0, rate1;  // momentum; rho and momentum; beta_1 and beta_2
    float keep0, keep1;  // 1 - rate0 and 1 - rate1, rounded once
    float epsilon;
    bool nesterov, centered, amsgrad;
};

// partials[i] = the sum of squares of piece i, in double.
struct GradientSquaresArgs {
    int64_t count, size;
    const UpdatePiece* pieces;
    const float* gradients;
    double* partials;
};

// scales[s] = limit / norm where the norm of the gradient of segment s exceeds `limit`, else 1. The norm follows from
// the partials of its pieces, which stand one behind the other. One unit.
struct ClipScalesArgs {
    int64_t count, segments;
    const UpdatePiece* pieces;
    const double* partials;
    float* scales;
    double limit;
};

}  // namespace striate::kernels
