#pragma once

#include <stdint.h>

#include "striate/export.hpp"

namespace striate STRIATE_API {

// A float32 NHWC tensor in memory. Channels are contiguous; the other strides (in floats) leave room for the zero halo
// that the planner lays around a map, and for maps that share one buffer after a concatenation. The pointer that goes
// with a view is to pixel (0, 0) of image 0, inside the halo. Tensors of rank 2 are (n, 1, 1, c).
struct View {
    int64_t n, h, w, c;
    int64_t image, row, pixel;
};

}  // namespace striate STRIATE_API
