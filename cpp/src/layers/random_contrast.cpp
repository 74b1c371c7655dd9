#include "striate/layers/random_contrast.hpp"

#include "layers/random_images.hpp"
#include "striate/error.hpp"

namespace striate {
namespace {

// From 1 - the first number to 1 + the second. Throws ValueError for numbers that do not fit.
random_images::Range factors_of(const std::vector<double>& factor, const std::string& owner) {
    bool fits = factor.size() == 1 || factor.size() == 2;
    for (const double part : factor) fits = fits && part >= 0.0 && part <= 1.0;
    require(fits, "[", owner, "] factor must be one number or (below, above) within 0 .. 1");
    return {1.0 - factor.front(), 1.0 + factor.back()};
}

}  // namespace

RandomContrast::RandomContrast(Options options, std::string name) : LayerOf(std::move(options), std::move(name)) {
    factors_of(options_.factor, label());
    random_images::value_range_of(options_.value_range, label());
}

Shape RandomContrast::infer(const std::vector<Shape>& inputs) const {
    return single(inputs, 3, "(N, H, W, C)");
}

void RandomContrast::emit(PlanContext& plan) const {
    const auto range = factors_of(options_.factor, label());
    const auto values = random_images::value_range_of(options_.value_range, label());
    random_images::emit_shades(plan, values, [=](Uniforms& numbers, Drawn& drawn) {
        drawn.contrast = static_cast<float>(random_images::within(range, numbers));
    });
}

}  // namespace striate
