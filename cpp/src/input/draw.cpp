// What is drawn for an image, and what boxes make of it.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "input/augmenter.hpp"
#include "input/uniforms.hpp"
#include "striate/error.hpp"

namespace striate {
namespace {

constexpr int64_t kMaxCrop = 1 << 20, kMaxGrid = 1024;

}  // namespace

FillMode fill_mode(const std::string& name) {
    if (name == "reflect") return FillMode::reflect;
    if (name == "wrap") return FillMode::wrap;
    if (name == "constant") return FillMode::constant;
    if (name == "nearest") return FillMode::nearest;
    require(name == "auto", "fill_mode must be one of auto, reflect, wrap, constant, nearest, got '", name, "'");
    return FillMode::automatic;
}

void check(const Augmentation& a) {
    const auto within = [](double value, double low, double high, const char* name) {
        require(value >= low && value <= high, "Augment's ", name, " must be within ", low, " .. ", high, ", got ",
                value);
    };
    const double largest = std::numeric_limits<double>::max();
    within(a.flip_horizontal, 0, 1, "flip_horizontal"), within(a.flip_vertical, 0, 1, "flip_vertical");
    within(a.rotation, 0, 360, "rotation");
    within(a.shift_height, 0, 1, "shift"), within(a.shift_width, 0, 1, "shift");
    within(a.zoom_smallest, 0.01, 100, "zoom"), within(a.zoom_largest, a.zoom_smallest, 100, "zoom");
    require(a.crop >= 0 && a.crop <= kMaxCrop, "Augment's crop must be within 0 .. ", kMaxCrop, " pixels, got ",
            a.crop);
    within(a.brightness, 0, largest, "brightness"), within(a.contrast, 0, 1, "contrast");
    within(a.noise, 0, largest, "noise"), within(a.elastic, 0, 1, "elastic");
    require(a.elastic_grid >= 1 && a.elastic_grid <= kMaxGrid, "Augment's elastic_grid must be within 1 .. ", kMaxGrid,
            " cells, got ", a.elastic_grid);
    within(a.fill_value, -largest, largest, "fill_value");
}

Augmentation for_boxes(const Augmentation& change) {
    require(change.elastic == 0, "Augment: boxes cannot follow an elastic deformation; leave elastic at 0");
    const bool from_outside = change.rotation > 0 || change.shift_height > 0 || change.shift_width > 0 ||
                              change.crop > 0 || change.zoom_smallest < 1;
    const bool copies = change.fill == FillMode::reflect || change.fill == FillMode::wrap;
    require(!from_outside || !copies, "Augment: fill_mode '", change.fill == FillMode::wrap ? "wrap" : "reflect",
            "' shows copies of objects at the borders, and no box is around them; with boxes use fill_mode 'auto', "
            "'constant' or 'nearest'");
    Augmentation resolved = change;
    if (change.fill == FillMode::automatic) resolved.fill = FillMode::constant;
    return resolved;
}

std::array<double, 6> matrix_of(const Motion& motion, int64_t height, int64_t width) {
    const double sign_x = motion.mirror_x ? -1.0 : 1.0, sign_y = motion.mirror_y ? -1.0 : 1.0;
    const double cos = std::cos(motion.angle), sin = std::sin(motion.angle);
    const double center_x = (static_cast<double>(width) - 1) / 2, center_y = (static_cast<double>(height) - 1) / 2;
    const double moved_x = center_x + motion.shift_x + motion.cut_x, moved_y = center_y + motion.shift_y + motion.cut_y;
    std::array<double, 6> m;
    m[0] = sign_x * (cos / motion.zoom_x), m[1] = -sign_x * (sin / motion.zoom_y);
    m[3] = sign_y * (sin / motion.zoom_x), m[4] = sign_y * (cos / motion.zoom_y);
    m[2] = center_x - (m[0] * moved_x + m[1] * moved_y);
    m[5] = center_y - (m[3] * moved_x + m[4] * moved_y);
    return m;
}

void Augmenter::draw(uint64_t index, uint64_t epoch, Drawn& drawn) const {
    const Augmentation& a = impl_->change;
    const auto height = static_cast<double>(impl_->height), width = static_cast<double>(impl_->width);
    std::array<double, 10> u;
    Uniforms uniforms(a.seed, kChanges, index, epoch);
    for (double& value : u) value = uniforms.next();
    const auto either_way = [&](int i) { return 2.0 * u[i] - 1.0; };
    const double zoom = a.zoom_smallest + u[5] * (a.zoom_largest - a.zoom_smallest);
    const auto cut = [&](int i) {
        return std::floor(u[i] * static_cast<double>(2 * a.crop + 1)) - static_cast<double>(a.crop);
    };
    Motion motion;
    motion.mirror_x = u[0] < a.flip_horizontal, motion.mirror_y = u[1] < a.flip_vertical;
    motion.angle = either_way(2) * a.rotation * (std::numbers::pi / 180.0);
    motion.zoom_x = motion.zoom_y = zoom;
    motion.shift_x = either_way(4) * (a.shift_width * width),
    motion.shift_y = either_way(3) * (a.shift_height * height);
    motion.cut_x = cut(7), motion.cut_y = cut(6);
    drawn.matrix = matrix_of(motion, impl_->height, impl_->width);
    drawn.brightness = static_cast<float>(either_way(8) * (a.brightness * (impl_->high - impl_->low)));
    drawn.contrast = static_cast<float>(1.0 + either_way(9) * a.contrast);
    if (a.elastic > 0.0) {
        const int64_t points = impl_->side * impl_->side;
        drawn.points.resize(static_cast<size_t>(2 * points));
        Uniforms displacements(a.seed, kElastic, index, epoch);
        for (int64_t i = 0; i < 2 * points; ++i)
            drawn.points[i] = (2.0 * displacements.next() - 1.0) * (a.elastic * (i < points ? width : height));
    }
    drawn.noise = philox4x64({a.seed, kNoise}, {1, index, epoch, 0});
}

bool move_box(const std::array<double, 6>& m, int64_t height, int64_t width, double least_visible,
              std::array<double, 4>& box) {
    const double determinant = m[0] * m[4] - m[1] * m[3];
    double low_x = 0, low_y = 0, high_x = 0, high_y = 0;
    for (int corner = 0; corner < 4; ++corner) {
        // Boxes count from the pixels' edges, maps from their centres.
        const double x = box[corner % 2 * 2] - 0.5 - m[2], y = box[corner / 2 * 2 + 1] - 0.5 - m[5];
        const double there_x = (m[4] * x - m[1] * y) / determinant + 0.5;
        const double there_y = (m[0] * y - m[3] * x) / determinant + 0.5;
        low_x = corner ? std::min(low_x, there_x) : there_x, high_x = corner ? std::max(high_x, there_x) : there_x;
        low_y = corner ? std::min(low_y, there_y) : there_y, high_y = corner ? std::max(high_y, there_y) : there_y;
    }
    const auto w = static_cast<double>(width), h = static_cast<double>(height);
    box = {std::clamp(low_x, 0.0, w), std::clamp(low_y, 0.0, h), std::clamp(high_x, 0.0, w),
           std::clamp(high_y, 0.0, h)};
    const double left = (box[2] - box[0]) * (box[3] - box[1]);
    return left > 0 && left >= least_visible * ((high_x - low_x) * (high_y - low_y));
}

}  // namespace striate
