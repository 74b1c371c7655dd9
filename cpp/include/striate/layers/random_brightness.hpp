#pragma once

#include "striate/layer.hpp"

namespace striate STRIATE_API {

struct RandomBrightnessOptions {
    std::vector<double> factor;  // of the range of values: lowest and highest, or one for both ways
    std::vector<double> value_range{0.0, 255.0};

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("factor", self.factor);
        visit("value_range", self.value_range);
    }
};

// In training adds a number to each image, and cuts the values to their range. What an image undergoes follows from
// the seed, the step, the layer and its place in the batch.
class RandomBrightness : public LayerOf<RandomBrightness, RandomBrightnessOptions> {
  public:
    static constexpr const char* kType = "RandomBrightness";
    // Throws ValueError for a factor or a range that does not fit.
    RandomBrightness(Options options, std::string name);

    Shape infer(const std::vector<Shape>& inputs) const override;
    void emit(PlanContext& plan) const override;
};

}  // namespace striate STRIATE_API
