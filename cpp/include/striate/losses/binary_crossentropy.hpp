#pragma once

#include "striate/loss.hpp"

namespace striate STRIATE_API {

struct BinaryCrossentropyOptions {
    bool from_logits = false;
    double label_smoothing = 0.0;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("from_logits", self.from_logits);
        visit("label_smoothing", self.label_smoothing);
    }
};

// -t log(p) - (1 - t) log(1 - p), the mean over the last axis; p is the output, or the sigmoid of it when it is logits.
class BinaryCrossentropy : public LossOf<BinaryCrossentropy, BinaryCrossentropyOptions> {
  public:
    static constexpr const char* kType = "BinaryCrossentropy";
    // Throws ValueError unless 0 <= label_smoothing <= 1.
    explicit BinaryCrossentropy(Options options);

    bool from_logits() const override { return options_.from_logits; }
    std::string joint_activation() const override { return "sigmoid"; }
    // Throws ValueError for a target outside 0 to 1.
    void check_targets(const Array& targets, const Shape& output) const override;
    void emit(const LossContext& context) const override;
};

}  // namespace striate STRIATE_API
