#pragma once

#include "striate/layer.hpp"

namespace striate STRIATE_API {

struct Cropping2DOptions {
    std::vector<int64_t> cropping = {0, 0, 0, 0};  // top, bottom, left, right

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("cropping", self.cropping);
    }
};

// Cuts rows and columns off a map.
class Cropping2D : public LayerOf<Cropping2D, Cropping2DOptions> {
  public:
    static constexpr const char* kType = "Cropping2D";
    // Throws ValueError unless there are four numbers, none of them negative.
    Cropping2D(Options options, std::string name);

    Shape infer(const std::vector<Shape>& inputs) const override;
    void emit(PlanContext& plan) const override;
};

}  // namespace striate STRIATE_API
