// A convolution and the maxima of 2 x 2 windows of it, rectified or not: what the plan makes of a Conv2D and the
// MaxPooling2D and ReLU behind it.
#pragma once

#include "striate/layers/conv2d.hpp"

namespace striate {

// Windows do not overlap; rows and columns that fill none are left out. The map between is never stored.
class PooledConv2D final : public Conv2D {
  public:
    using Conv2D::Conv2D;
    Shape infer(const std::vector<Shape>& inputs) const override;
    Halo gradient_halo(const std::vector<Shape>&) const override { return {}; }
    void emit(PlanContext& plan) const override;
};

}  // namespace striate
