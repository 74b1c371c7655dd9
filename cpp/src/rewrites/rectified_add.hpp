// relu(a + b) in one pass: what the plan makes of an Add and the ReLU behind it.
#pragma once

#include "striate/layers/add.hpp"

namespace striate {

class RectifiedAdd final : public Add {
  public:
    using Add::Add;
    void emit(PlanContext& plan) const override;
};

}  // namespace striate
