#include "striate/layers/random_translation.hpp"

#include "layers/random_images.hpp"

namespace striate {

RandomTranslation::RandomTranslation(Options options, std::string name) : LayerOf(std::move(options), std::move(name)) {
    random_images::range_of(options_.height_factor, -1.0, 1.0, label(), "height_factor");
    random_images::range_of(options_.width_factor, -1.0, 1.0, label(), "width_factor");
    random_images::check(options_.sampling, label());
}

Shape RandomTranslation::infer(const std::vector<Shape>& inputs) const {
    return single(inputs, 3, "(N, H, W, C)");
}

void RandomTranslation::emit(PlanContext& plan) const {
    const auto down = random_images::range_of(options_.height_factor, -1.0, 1.0, label(), "height_factor");
    const auto along = random_images::range_of(options_.width_factor, -1.0, 1.0, label(), "width_factor");
    const View v = plan.view(plan.input());
    const auto height = static_cast<double>(v.h), width = static_cast<double>(v.w);
    random_images::emit_moves(plan, options_.sampling, [=](Uniforms& numbers) {
        Motion motion;
        motion.shift_y = height * random_images::within(down, numbers);
        motion.shift_x = width * random_images::within(along, numbers);
        return motion;
    });
}

}  // namespace striate
