#pragma once

#include "striate/layer.hpp"

namespace striate STRIATE_API {

struct GlobalMaxPooling2DOptions {
    bool keepdims = false;  // (N, 1, 1, C) instead of (N, C)

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("keepdims", self.keepdims);
    }
};

// The largest value of each channel's map.
class GlobalMaxPooling2D : public LayerOf<GlobalMaxPooling2D, GlobalMaxPooling2DOptions> {
  public:
    static constexpr const char* kType = "GlobalMaxPooling2D";
    using LayerOf::LayerOf;

    Shape infer(const std::vector<Shape>& inputs) const override;
    Window window() const override { return {{1}, {1}, true}; }
    void emit(PlanContext& plan) const override;
};

}  // namespace striate STRIATE_API
