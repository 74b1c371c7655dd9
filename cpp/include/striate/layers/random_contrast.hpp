#pragma once

#include "striate/layer.hpp"

namespace striate STRIATE_API {

struct RandomContrastOptions {
    std::vector<double> factor;  // below and above 1: two numbers, or one for both
    std::vector<double> value_range{0.0, 255.0};

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("factor", self.factor);
        visit("value_range", self.value_range);
    }
};

// In training scales the distance of the values from their mean in each channel of each image, and cuts them to their
// range. What an image undergoes follows from the seed, the step, the layer and its place in the batch.
class RandomContrast : public LayerOf<RandomContrast, RandomContrastOptions> {
  public:
    static constexpr const char* kType = "RandomContrast";
    // Throws ValueError for a factor or a range that does not fit.
    RandomContrast(Options options, std::string name);

    Shape infer(const std::vector<Shape>& inputs) const override;
    void emit(PlanContext& plan) const override;
};

}  // namespace striate STRIATE_API
