#pragma once

#include "striate/loss.hpp"

namespace striate STRIATE_API {

struct BinaryFocalCrossentropyOptions {
    bool apply_class_balancing = false;
    double alpha = 0.25, gamma = 2.0;
    bool from_logits = false;
    double label_smoothing = 0.0;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("apply_class_balancing", self.apply_class_balancing);
        visit("alpha", self.alpha);
        visit("gamma", self.gamma);
        visit("from_logits", self.from_logits);
        visit("label_smoothing", self.label_smoothing);
    }
};

// Binary cross-entropy times (1 - p_t)^gamma, which discounts what is right already (Lin et al. 2017); with class
// balancing also times alpha for ones and 1 - alpha for zeros.
class BinaryFocalCrossentropy : public LossOf<BinaryFocalCrossentropy, BinaryFocalCrossentropyOptions> {
  public:
    static constexpr const char* kType = "BinaryFocalCrossentropy";
    // Throws ValueError for numbers out of range.
    explicit BinaryFocalCrossentropy(Options options);

    bool from_logits() const override { return options_.from_logits; }
    std::string joint_activation() const override { return "sigmoid"; }
    // Throws ValueError for a target outside 0 to 1.
    void check_targets(const Array& targets, const Shape& output) const override;
    void emit(const LossContext& context) const override;
};

}  // namespace striate STRIATE_API
