#pragma once

#include "striate/loss.hpp"

namespace striate STRIATE_API {

struct CategoricalCrossentropyOptions {
    bool from_logits = false;
    double label_smoothing = 0.0;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("from_logits", self.from_logits);
        visit("label_smoothing", self.label_smoothing);
    }
};

// -sum over classes of t log(p) for targets with a probability for each class.
class CategoricalCrossentropy : public LossOf<CategoricalCrossentropy, CategoricalCrossentropyOptions> {
  public:
    static constexpr const char* kType = "CategoricalCrossentropy";
    // Throws ValueError unless 0 <= label_smoothing <= 1.
    explicit CategoricalCrossentropy(Options options);

    bool from_logits() const override { return options_.from_logits; }
    std::string joint_activation() const override { return "softmax"; }
    Shape target_shape(const Shape& output, const std::string& layer) const override;
    // Throws ValueError for a target outside 0 to 1.
    void check_targets(const Array& targets, const Shape& output) const override;
    void emit(const LossContext& context) const override;
};

}  // namespace striate STRIATE_API
