#pragma once

#include <optional>

#include "striate/detection.hpp"
#include "striate/loss.hpp"

namespace striate STRIATE_API {

struct DetectionLossOptions {
    std::vector<int64_t> strides = {8, 16};
    std::string box_loss = "giou";
    double gamma = 2.0;
    std::optional<double> alpha = 0.25;
    double box_weight = 2.0;
    double class_weight = 1.0;
    double size_limit = 4.0;
    double radius = 1.5;
    int64_t max_boxes = 100;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("strides", self.strides);
        visit("box_loss", self.box_loss);
        visit("gamma", self.gamma);
        visit("alpha", self.alpha);
        visit("box_weight", self.box_weight);
        visit("class_weight", self.class_weight);
        visit("size_limit", self.size_limit);
        visit("radius", self.radius);
        visit("max_boxes", self.max_boxes);
    }
};

// The loss of a detector without anchors (see kernels/args_detection.hpp for what it is made of). Targets are float32
// (N, max_boxes, 5): x1, y1, x2, y2 in pixels and the class; rows without a box have class -1, and boxes that are to be
// ignored -2 - class.
class DetectionLoss : public LossOf<DetectionLoss, DetectionLossOptions> {
  public:
    static constexpr const char* kType = "DetectionLoss";
    explicit DetectionLoss(Options options = {});

    bool from_logits() const override { return true; }
    Shape target_shape(const Shape& output, const std::string& layer) const override;
    // Throws ValueError for a class that there is none of, and for a box that is not finite or has no extent.
    void check_targets(const Array& targets, const Shape& output) const override;
    // Sums: of the locations' losses, and the number of locations with a box.
    double value(const double* sums, const Shape& output) const override;
    void emit(const LossContext& context) const override;
};

}  // namespace striate STRIATE_API
