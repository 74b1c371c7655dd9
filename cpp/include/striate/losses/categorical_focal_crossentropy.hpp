#pragma once

#include "striate/loss.hpp"

namespace striate {

struct CategoricalFocalCrossentropyOptions {
    std::vector<double> alpha{0.25};  // one number, or one for each class
    double gamma = 2.0;
    bool from_logits = false;
    double label_smoothing = 0.0;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("alpha", self.alpha);
        visit("gamma", self.gamma);
        visit("from_logits", self.from_logits);
        visit("label_smoothing", self.label_smoothing);
    }
};

// Categorical cross-entropy with each class times alpha * (1 - p)^gamma (Lin et al. 2017).
class CategoricalFocalCrossentropy : public LossOf<CategoricalFocalCrossentropy, CategoricalFocalCrossentropyOptions> {
  public:
    static constexpr const char* kType = "CategoricalFocalCrossentropy";
    // Throws ValueError for numbers out of range.
    explicit CategoricalFocalCrossentropy(Options options);

    bool from_logits() const override { return options_.from_logits; }
    std::string joint_activation() const override { return "softmax"; }
    Shape target_shape(const Shape& output, const std::string& layer) const override;
    // Throws ValueError for a target outside 0 to 1.
    void check_targets(const Array& targets, const Shape& output) const override;
    void emit(const LossContext& context) const override;
};

}  // namespace striate
