#pragma once

#include <optional>

#include "striate/loss.hpp"

namespace striate {

struct TverskyOptions {
    double alpha = 0.5, beta = 0.5;
    std::optional<std::vector<int64_t>> axis;  // over which the sums run; null: over everything, the batch included

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("alpha", self.alpha);
        visit("beta", self.beta);
        visit("axis", self.axis);
    }
};

// 1 - sum(t p) / (sum(t p) + alpha sum(t (1 - p)) + beta sum((1 - t) p) + e): the index of Salehi et al. (2017), with
// alpha and beta as Keras 3 computes it, which is the other way round than it (and the paper) says.
class Tversky : public LossOf<Tversky, TverskyOptions> {
  public:
    static constexpr const char* kType = "Tversky";
    // Throws ValueError unless alpha and beta are numbers of at least 0.
    explicit Tversky(Options options);

    // Throws ValueError for axes that the output has not, or that leave out a middle one.
    Shape target_shape(const Shape& output, const std::string& layer) const override;
    void emit(const LossContext& context) const override;
};

}  // namespace striate
