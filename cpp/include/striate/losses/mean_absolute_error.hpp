#pragma once

#include "striate/loss.hpp"

namespace striate STRIATE_API {

struct MeanAbsoluteErrorOptions {
    template <class Self, class Visitor>
    static void fields(Self&, Visitor&&) {}
};

// The mean over the last axis of |output - target|.
class MeanAbsoluteError : public LossOf<MeanAbsoluteError, MeanAbsoluteErrorOptions> {
  public:
    static constexpr const char* kType = "MeanAbsoluteError";
    using LossOf::LossOf;

    void emit(const LossContext& context) const override;
};

}  // namespace striate STRIATE_API
