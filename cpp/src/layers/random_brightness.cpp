#include "striate/layers/random_brightness.hpp"

#include "layers/random_images.hpp"

namespace striate {

RandomBrightness::RandomBrightness(Options options, std::string name) : LayerOf(std::move(options), std::move(name)) {
    random_images::range_of(options_.factor, -1.0, 1.0, label(), "factor");
    random_images::value_range_of(options_.value_range, label());
}

Shape RandomBrightness::infer(const std::vector<Shape>& inputs) const {
    return single(inputs, 3, "(N, H, W, C)");
}

void RandomBrightness::emit(PlanContext& plan) const {
    const auto factor = random_images::range_of(options_.factor, -1.0, 1.0, label(), "factor");
    const auto values = random_images::value_range_of(options_.value_range, label());
    random_images::emit_shades(plan, values, [=](Uniforms& numbers, Drawn& drawn) {
        drawn.brightness = static_cast<float>(random_images::within(factor, numbers) * (values[1] - values[0]));
    });
}

}  // namespace striate
