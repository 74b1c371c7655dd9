#pragma once

#include <optional>

#include "striate/loss.hpp"

namespace striate STRIATE_API {

struct DiceOptions {
    std::optional<std::vector<int64_t>> axis;  // over which the sums run; null: over everything, the batch included
    bool from_logits = false;                  // of the softmax, or of the sigmoid where there is one channel
    std::optional<int64_t> ignore_class;
    // Added above and below; null: 1 where the sums hold no target, so that there is a gradient, else 0.
    std::optional<double> smooth;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("axis", self.axis);
        visit("from_logits", self.from_logits);
        visit("ignore_class", self.ignore_class);
        visit("smooth", self.smooth);
    }
};

// 1 - (2 sum(t p) + smooth) / (sum(t) + sum(p) + smooth + e) (Milletari et al. 2016), with smooth = 0 as Keras 3
// defines it, for targets with a number for each channel or for class labels, of which `ignore_class` do not count.
// Weights of pixels weigh them in the sums.
class Dice : public LossOf<Dice, DiceOptions> {
  public:
    static constexpr const char* kType = "Dice";
    // Throws ValueError unless smooth is null or a number of at least 0.
    explicit Dice(Options options = {});

    bool from_logits() const override { return options_.from_logits; }
    bool joins(const std::string& activation, const Shape& output) const override;
    // An output of several channels takes them.
    bool takes_labels(const Shape& output) const override;
    // Throws ValueError for axes that the output has not, or that leave out a middle one.
    Shape target_shape(const Shape& output, const std::string& layer) const override;
    // Throws ValueError for a label that is not a class, and for other targets beyond 0 to 1.
    void check_targets(const Array& targets, const Shape& output) const override;
    // Where images are not kept apart, the loss follows from the sums over all of them.
    int64_t sum_count(const Shape& output) const override;
    double value(const double* sums, const Shape& output) const override;
    void emit(const LossContext& context) const override;
};

}  // namespace striate STRIATE_API
