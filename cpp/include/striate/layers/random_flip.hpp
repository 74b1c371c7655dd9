#pragma once

#include "striate/layer.hpp"

namespace striate STRIATE_API {

struct RandomFlipOptions {
    std::string mode = "horizontal_and_vertical";

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("mode", self.mode);
    }
};

// In training mirrors each image left and right, top and bottom, or both, each with probability 1/2. What an image
// undergoes follows from the seed, the step, the layer and its place in the batch.
class RandomFlip : public LayerOf<RandomFlip, RandomFlipOptions> {
  public:
    static constexpr const char* kType = "RandomFlip";
    // Throws ValueError for an unknown mode.
    RandomFlip(Options options, std::string name);

    Shape infer(const std::vector<Shape>& inputs) const override;
    void emit(PlanContext& plan) const override;
};

}  // namespace striate STRIATE_API
