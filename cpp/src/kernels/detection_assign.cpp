#include "kernels/detection_layout.hpp"
#include "kernels/lanes.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

// The first and the last cell of `count` whose centres are within [low, high], in cells.
struct Range {
    int64_t first, last;
};
STRIATE_INLINE Range centres_within(double low, double high, int64_t count) {
    const double most = static_cast<double>(count);
    low = low - 0.5 > 0 ? low - 0.5 : 0;
    high = high - 0.5 < most - 1 ? high - 0.5 : most - 1;
    if (!(low <= most) || !(high >= 0)) return {0, -1};
    const auto below = static_cast<int64_t>(low);
    return {below + (static_cast<double>(below) < low), static_cast<int64_t>(high)};
}
// The cell that a place is in, or the nearest.
STRIATE_INLINE int64_t cell_of(double place, int64_t count) {
    if (!(place > 0)) return 0;
    return place < static_cast<double>(count) ? static_cast<int64_t>(place) : count - 1;
}

struct Target {
    double x1, y1, x2, y2, label;
    STRIATE_INLINE double area() const { return (x2 - x1) * (y2 - y1); }
};
STRIATE_INLINE Target target_at(const float* t) {
    return {t[0], t[1], t[2], t[3], t[4]};
}

// Every location inside an ignored box, at all levels.
void ignore(const DetectionGrid& g, const Target& t, int32_t* map) {
    for (int64_t l = 0; l < g.levels; ++l) {
        const int64_t h = g.h >> l, w = g.w >> l;
        const auto stride = static_cast<double>(g.stride << l);
        const Range rows = centres_within(t.y1 / stride, t.y2 / stride, h);
        const Range columns = centres_within(t.x1 / stride, t.x2 / stride, w);
        for (int64_t y = rows.first; y <= rows.last; ++y)
            for (int64_t x = columns.first; x <= columns.last; ++x) map[y * w + x] = -2;
        map += h * w;
    }
}

void claim(const DetectionAssignArgs& a, const float* targets, int32_t index, int32_t* map) {
    const Target t = target_at(targets + index * 5);
    const double width = t.x2 - t.x1, height = t.y2 - t.y1, side = width > height ? width : height;
    int64_t level = 0;
    for (; level + 1 < a.grid.levels && side > a.size_limit * static_cast<double>(a.grid.stride << level); ++level)
        map += (a.grid.h >> level) * (a.grid.w >> level);
    const int64_t h = a.grid.h >> level, w = a.grid.w >> level;
    const auto stride = static_cast<double>(a.grid.stride << level);
    const auto take = [&](int64_t place) {
        if (map[place] < 0 || t.area() < target_at(targets + map[place] * 5).area()) map[place] = index;
    };
    const double x1 = t.x1 / stride, x2 = t.x2 / stride, y1 = t.y1 / stride, y2 = t.y2 / stride;
    const double x = 0.5 * (x1 + x2), y = 0.5 * (y1 + y2), left = x - a.radius, right = x + a.radius;
    const double top = y - a.radius, bottom = y + a.radius;
    const Range rows = centres_within(y1 > top ? y1 : top, y2 < bottom ? y2 : bottom, h);
    const Range columns = centres_within(x1 > left ? x1 : left, x2 < right ? x2 : right, w);
    for (int64_t row = rows.first; row <= rows.last; ++row)
        for (int64_t column = columns.first; column <= columns.last; ++column) take(row * w + column);
    take(cell_of(y, h) * w + cell_of(x, w));
}

}  // namespace

void detection_assign(const DetectionAssignArgs& a, int64_t begin, int64_t end) {
    const int64_t locations = detection_locations(a.grid);
    for (int64_t image = begin; image < end; ++image) {
        const float* targets = a.targets + image * a.boxes * 5;
        int32_t* map = a.assigned + image * locations;
        for (int64_t i = 0; i < locations; ++i) map[i] = -1;
        for (int64_t i = 0; i < a.boxes; ++i)
            if (targets[i * 5 + 4] < -1.5f) ignore(a.grid, target_at(targets + i * 5), map);
        for (int64_t i = 0; i < a.boxes; ++i)
            if (targets[i * 5 + 4] > -0.5f) claim(a, targets, static_cast<int32_t>(i), map);
        int64_t count = 0;
        for (int64_t i = 0; i < locations; ++i) count += map[i] >= 0;
        a.counts[image] = static_cast<double>(count);
    }
}

}  // namespace striate::kernels::STRIATE_ISA
