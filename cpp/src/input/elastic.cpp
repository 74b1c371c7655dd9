#include "input/elastic.hpp"

#include <algorithm>

namespace striate {

Spline::Spline(int64_t size, int64_t cells) {
    for (int64_t i = 0; i < size; ++i) {
        const double place = (static_cast<double>(i) + 0.5) * static_cast<double>(cells) / static_cast<double>(size);
        const int64_t cell = std::min(static_cast<int64_t>(place), cells - 1);
        const double t = place - static_cast<double>(cell), s = 1 - t;
        knots.push_back(static_cast<int32_t>(cell));
        for (const double share :
             {s * s * s, 3 * t * t * t - 6 * t * t + 4, -3 * t * t * t + 3 * t * t + 3 * t + 1, t * t * t})
            shares.push_back(static_cast<float>(share / 6));
    }
}

void spread(const double* points, int64_t side, const Spline& across, float* out) {
    const auto width = static_cast<int64_t>(across.knots.size());
    for (int64_t row = 0; row < side; ++row) {
        const double* from = points + row * side;
        for (int64_t x = 0; x < width; ++x) {
            double sum = 0;
            for (int64_t k = 0; k < 4; ++k)
                sum += from[across.knots[x] + k] * static_cast<double>(across.shares[4 * x + k]);
            out[row * width + x] = static_cast<float>(sum);
        }
    }
}

}  // namespace striate
