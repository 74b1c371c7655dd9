// Where a detector's locations are, for both sides of the seam. As in layout.hpp, nothing here has a symbol.
#pragma once

#include "kernels/args_detection.hpp"
#include "kernels/layout.hpp"

namespace striate::kernels {

// Locations of an image that one unit of the loss does.
static constexpr int64_t kDetectionPiece = 512;

STRIATE_LAYOUT int64_t detection_locations(const DetectionGrid& g) {
    int64_t count = 0;
    for (int64_t l = 0; l < g.levels; ++l) count += (g.h >> l) * (g.w >> l);
    return count;
}

// The cell and the stride of a location.
struct DetectionPlace {
    int64_t row, column, stride;
};
STRIATE_LAYOUT DetectionPlace detection_place(const DetectionGrid& g, int64_t location) {
    int64_t level = 0;
    for (int64_t size = g.h * g.w; location >= size; size = (g.h >> level) * (g.w >> level)) {
        location -= size;
        ++level;
    }
    return {location / (g.w >> level), location % (g.w >> level), g.stride << level};
}

}  // namespace striate::kernels
