// Smooth displacements of every pixel from those of a coarse grid, by uniform cubic B-splines, as in free-form
// deformation (Rueckert et al., IEEE Transactions on Medical Imaging 18(8), 1999).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace striate {

// Of every pixel along one axis: the first of the four control points around it, and the shares of these.
struct Spline {
    Spline(int64_t size, int64_t cells);
    std::vector<int32_t> knots;  // `size`
    std::vector<float> shares;   // `size` times 4
};

// Control points (side, side) spread over columns: (side, width).
void spread(const double* points, int64_t side, const Spline& across, float* out);

}  // namespace striate
