#pragma once

#include "kernels/view.hpp"

namespace striate::kernels {

// A window of rows x columns moves in steps; its first place is `top` rows above and `left` pixels left of the map.
// Where it hangs over the edge, only what is inside counts: padding never wins a maximum and is not part of an
// average.
struct PoolWindow {
    int64_t rows, columns;
    int64_t row_step, column_step;
    int64_t top, left;
};

// Which place of its window won, rows * columns of them numbered row by row, in the order n, y, x, c of the output
// without gaps: bytes when `wide` is false (at most 255 places), else int32. The first of equals wins, and a NaN wins
// over all. Number rows * columns, for which there must be room, is where ReLU made the maximum 0.
struct PoolWinners {
    void* places;  // null: not kept
    bool wide;
};
static constexpr int32_t kNoPlace = 4;  // of 2 x 2 windows

// Unit = output row.
struct MaxPoolArgs {
    PoolWindow window;
    View view_x, view_y;
    const float* x;
    float* y;
    PoolWinners winners;
    bool relu;  // of the maxima
};
// dx = the sum of dy over the windows that x won. Unit = input row.
struct MaxPoolGradArgs {
    PoolWindow window;
    View view_dy, view_dx;
    const float* dy;
    float* dx;
    PoolWinners winners;
};

// Unit = output row.
struct AveragePoolArgs {
    PoolWindow window;
    View view_x, view_y;
    const float* x;
    float* y;
};
// Unit = input row.
struct AveragePoolGradArgs {
    PoolWindow window;
    View view_dy, view_dx;
    const float* dy;
    float* dx;
};

// y of shape (n, 1, 1, c). Unit = kPoolChannels channels of an image.
struct GlobalPoolArgs {
    View view_x, view_y;
    const float* x;
    float* y;
    int32_t* winners;  // of the maximum: [n][c], pixels numbered row by row; may be null
};
// Unit = row of dx.
struct GlobalPoolGradArgs {
    View view_dy, view_dx;
    const float* dy;
    float* dx;
    const int32_t* winners;
};

}  // namespace striate::kernels
