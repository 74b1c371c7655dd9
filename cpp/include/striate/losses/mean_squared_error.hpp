#pragma once

#include "striate/loss.hpp"

namespace striate STRIATE_API {

struct MeanSquaredErrorOptions {
    template <class Self, class Visitor>
    static void fields(Self&, Visitor&&) {}
};

// The mean over the last axis of (output - target)^2.
class MeanSquaredError : public LossOf<MeanSquaredError, MeanSquaredErrorOptions> {
  public:
    static constexpr const char* kType = "MeanSquaredError";
    using LossOf::LossOf;

    void emit(const LossContext& context) const override;
};

}  // namespace striate STRIATE_API
