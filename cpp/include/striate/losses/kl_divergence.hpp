#pragma once

#include "striate/loss.hpp"

namespace striate STRIATE_API {

struct KLDivergenceOptions {
    template <class Self, class Visitor>
    static void fields(Self&, Visitor&&) {}
};

// The sum over the last axis of target * log(target / output), both within 1e-7 to 1 (Kullback and Leibler, 1951).
class KLDivergence : public LossOf<KLDivergence, KLDivergenceOptions> {
  public:
    static constexpr const char* kType = "KLDivergence";
    using LossOf::LossOf;

    // Throws ValueError for a target beyond 0 to 1.
    void check_targets(const Array& targets, const Shape& output) const override;
    void emit(const LossContext& context) const override;
};

}  // namespace striate STRIATE_API
