#include "striate/layers/random_flip.hpp"

#include "layers/random_images.hpp"
#include "striate/error.hpp"

namespace striate {

RandomFlip::RandomFlip(Options options, std::string name) : LayerOf(std::move(options), std::move(name)) {
    require(options_.mode == "horizontal" || options_.mode == "vertical" || options_.mode == "horizontal_and_vertical",
            "[", label(), "] mode must be horizontal, vertical or horizontal_and_vertical, got '", options_.mode, "'");
}

Shape RandomFlip::infer(const std::vector<Shape>& inputs) const {
    return single(inputs, 3, "(N, H, W, C)");
}

void RandomFlip::emit(PlanContext& plan) const {
    const bool across = options_.mode != "vertical", down = options_.mode != "horizontal";
    random_images::emit_moves(plan, {}, [=](Uniforms& numbers) {
        Motion motion;
        const bool first = numbers.next() < 0.5, second = numbers.next() < 0.5;
        motion.mirror_x = across && first, motion.mirror_y = down && second;
        return motion;
    });
}

}  // namespace striate
