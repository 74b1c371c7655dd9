#include "striate/layers/random_zoom.hpp"

#include "layers/random_images.hpp"

namespace striate {
namespace {

// Of the factors: from a hundredfold enlargement to half the size.
constexpr double kLowest = -0.99, kHighest = 1.0;

}  // namespace

RandomZoom::RandomZoom(Options options, std::string name) : LayerOf(std::move(options), std::move(name)) {
    random_images::range_of(options_.height_factor, kLowest, kHighest, label(), "height_factor");
    if (options_.width_factor)
        random_images::range_of(*options_.width_factor, kLowest, kHighest, label(), "width_factor");
    random_images::check(options_.sampling, label());
}

Shape RandomZoom::infer(const std::vector<Shape>& inputs) const {
    return single(inputs, 3, "(N, H, W, C)");
}

void RandomZoom::emit(PlanContext& plan) const {
    const auto down = random_images::range_of(options_.height_factor, kLowest, kHighest, label(), "height_factor");
    const bool alike = !options_.width_factor;
    const auto along =
        alike ? down : random_images::range_of(*options_.width_factor, kLowest, kHighest, label(), "width_factor");
    random_images::emit_moves(plan, options_.sampling, [=](Uniforms& numbers) {
        Motion motion;
        motion.zoom_y = 1.0 / (1.0 + random_images::within(down, numbers));
        motion.zoom_x = alike ? motion.zoom_y : 1.0 / (1.0 + random_images::within(along, numbers));
        return motion;
    });
}

}  // namespace striate
