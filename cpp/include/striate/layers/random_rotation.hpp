#pragma once

#include "striate/layer.hpp"
#include "striate/layers/image_sampling.hpp"

namespace striate STRIATE_API {

struct RandomRotationOptions {
    std::vector<double> factor;  // of a full turn, counterclockwise: lowest and highest, or one for both ways
    ImageSampling sampling;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("factor", self.factor);
        ImageSampling::fields(self.sampling, visit);
    }
};

// In training turns each image about its centre. What an image undergoes follows from the seed, the step, the layer
// and its place in the batch.
class RandomRotation : public LayerOf<RandomRotation, RandomRotationOptions> {
  public:
    static constexpr const char* kType = "RandomRotation";
    // Throws ValueError for a factor or an ImageSampling that is out of its range.
    RandomRotation(Options options, std::string name);

    Shape infer(const std::vector<Shape>& inputs) const override;
    void emit(PlanContext& plan) const override;
};

}  // namespace striate STRIATE_API
