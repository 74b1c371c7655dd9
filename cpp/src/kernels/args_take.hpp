#pragma once

#include "kernels/view.hpp"

namespace striate::kernels {

// y = the elements of x with the numbers `indices` along an axis: 0 rows, 1 columns, 2 channels.
struct TakeArgs {
    View view_x, view_y;
    int axis;
    const int64_t* indices;  // as many as y has along the axis
    const float* x;
    float* y;
};
// dx = for each element the sum of dy over the places that took it: places[begins[i]] ... places[begins[i + 1] - 1] for
// element i of the axis, in ascending order.
struct TakeGradArgs {
    View view_dy, view_dx;
    int axis;
    const int64_t *begins, *places;
    const float* dy;
    float* dx;
};

}  // namespace striate::kernels
