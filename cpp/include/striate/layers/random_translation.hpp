#pragma once

#include "striate/layer.hpp"
#include "striate/layers/image_sampling.hpp"

namespace striate STRIATE_API {

struct RandomTranslationOptions {
    // Of the size, down and to the right: lowest and highest, or one for both ways.
    std::vector<double> height_factor, width_factor;
    ImageSampling sampling;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("height_factor", self.height_factor);
        visit("width_factor", self.width_factor);
        ImageSampling::fields(self.sampling, visit);
    }
};

// In training shifts each image. What an image undergoes follows from the seed, the step, the layer and its place in
// the batch.
class RandomTranslation : public LayerOf<RandomTranslation, RandomTranslationOptions> {
  public:
    static constexpr const char* kType = "RandomTranslation";
    // Throws ValueError for a factor or an ImageSampling that is out of its range.
    RandomTranslation(Options options, std::string name);

    Shape infer(const std::vector<Shape>& inputs) const override;
    void emit(PlanContext& plan) const override;
};

}  // namespace striate STRIATE_API
