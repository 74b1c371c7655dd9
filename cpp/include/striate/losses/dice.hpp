#pragma once

#include <optional>

#include "striate/loss.hpp"

namespace striate {

struct DiceOptions {
    std::optional<std::vector<int64_t>> axis;  // over which the sums run; null: over everything, the batch included

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("axis", self.axis);
    }
};

// 1 - 2 sum(t p) / (sum(t) + sum(p) + e) (Milletari et al. 2016), as Keras 3 defines it.
class Dice : public LossOf<Dice, DiceOptions> {
  public:
    static constexpr const char* kType = "Dice";
    using LossOf::LossOf;

    // Throws ValueError for axes that the output has not, or that leave out a middle one.
    Shape target_shape(const Shape& output, const std::string& layer) const override;
    void emit(const LossContext& context) const override;
};

}  // namespace striate
