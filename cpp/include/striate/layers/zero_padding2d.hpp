#pragma once

#include "striate/layer.hpp"

namespace striate STRIATE_API {

struct ZeroPadding2DOptions {
    std::vector<int64_t> padding = {1, 1, 1, 1};  // top, bottom, left, right

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("padding", self.padding);
    }
};

// Rows and columns of zeros around a map.
class ZeroPadding2D : public LayerOf<ZeroPadding2D, ZeroPadding2DOptions> {
  public:
    static constexpr const char* kType = "ZeroPadding2D";
    // Throws ValueError unless there are four numbers, none of them negative.
    ZeroPadding2D(Options options, std::string name);

    Shape infer(const std::vector<Shape>& inputs) const override;
    void emit(PlanContext& plan) const override;
};

}  // namespace striate STRIATE_API
