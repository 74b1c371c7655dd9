#include "striate/layers/random_rotation.hpp"

#include <numbers>

#include "layers/random_images.hpp"

namespace striate {

RandomRotation::RandomRotation(Options options, std::string name) : LayerOf(std::move(options), std::move(name)) {
    random_images::range_of(options_.factor, -1.0, 1.0, label(), "factor");
    random_images::check(options_.sampling, label());
}

Shape RandomRotation::infer(const std::vector<Shape>& inputs) const {
    return single(inputs, 3, "(N, H, W, C)");
}

void RandomRotation::emit(PlanContext& plan) const {
    const auto turns = random_images::range_of(options_.factor, -1.0, 1.0, label(), "factor");
    random_images::emit_moves(plan, options_.sampling, [=](Uniforms& numbers) {
        Motion motion;
        motion.angle = 2.0 * std::numbers::pi * random_images::within(turns, numbers);
        return motion;
    });
}

}  // namespace striate
