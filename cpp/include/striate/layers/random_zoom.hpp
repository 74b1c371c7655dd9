#pragma once

#include "striate/layer.hpp"
#include "striate/layers/image_sampling.hpp"

namespace striate STRIATE_API {

struct RandomZoomOptions {
    // Above 0 makes the image smaller: lowest and highest, or one for both ways. Without the second, height and width
    // change alike.
    std::vector<double> height_factor;
    std::optional<std::vector<double>> width_factor;
    ImageSampling sampling;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("height_factor", self.height_factor);
        visit("width_factor", self.width_factor);
        ImageSampling::fields(self.sampling, visit);
    }
};

// In training scales each image about its centre by 1 / (1 + a number within the factor). What an image undergoes
// follows from the seed, the step, the layer and its place in the batch.
class RandomZoom : public LayerOf<RandomZoom, RandomZoomOptions> {
  public:
    static constexpr const char* kType = "RandomZoom";
    // Throws ValueError for a factor or an ImageSampling that is out of its range.
    RandomZoom(Options options, std::string name);

    Shape infer(const std::vector<Shape>& inputs) const override;
    void emit(PlanContext& plan) const override;
};

}  // namespace striate STRIATE_API
