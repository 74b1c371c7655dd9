#pragma once

#include "striate/layer.hpp"

namespace striate STRIATE_API {

struct GlobalAveragePooling2DOptions {
    bool keepdims = false;  // (N, 1, 1, C) instead of (N, C)

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("keepdims", self.keepdims);
    }
};

// The mean of each channel's map (Lin et al. 2014).
class GlobalAveragePooling2D : public LayerOf<GlobalAveragePooling2D, GlobalAveragePooling2DOptions> {
  public:
    static constexpr const char* kType = "GlobalAveragePooling2D";
    using LayerOf::LayerOf;

    Shape infer(const std::vector<Shape>& inputs) const override;
    Window window() const override { return {{1}, {1}, true}; }
    void emit(PlanContext& plan) const override;
};

}  // namespace striate STRIATE_API
