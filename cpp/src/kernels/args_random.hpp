#pragma once

#include "kernels/view.hpp"

namespace striate::kernels {

// Where random numbers come from: Philox4x32-10 (Salmon et al., SC 2011) with `seed` as the key and (block, step,
// stream) as the counter. Element e of a tensor takes word e % 64 / 16 of block e / 64 * 16 + e % 16, on every
// instruction set.
struct RandomSource {
    uint64_t seed, stream;
    uint32_t step;
    // Of a batch that is a part of a larger one: elements of a row, and the row of the whole that the first one is.
    // Element 0 of the part is then element row * first_row.
    int64_t row = 0, first_row = 0;
};

// y = x / (1 - rate) where the element's random word is at least rate * 2^32, and 0 elsewhere (Srivastava et al.,
// 2014). May work in place.
struct DropoutArgs {
    RandomSource source;
    double rate;
    View view_x, view_y;
    const float* x;
    float* y;
    uint8_t* kept;  // one byte an element in n, y, x, c order: 1 where kept; null: not written
};
// dx = dy / (1 - rate) where `kept`; drawn again from the source when `kept` is null. dx may be dy.
struct DropoutGradArgs {
    RandomSource source;
    double rate;
    View view_dy, view_dx;
    const float* dy;
    float* dx;
    const uint8_t* kept;
};

// out[i] = 1 / (1 - rate) or 0: what spatial dropout multiplies whole channels by. Unit = kMergeChunk elements.
struct DropoutFactorsArgs {
    RandomSource source;
    double rate;
    int64_t size;
    float* out;
};

}  // namespace striate::kernels
