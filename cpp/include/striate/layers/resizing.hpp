#pragma once

#include "striate/layer.hpp"

namespace striate STRIATE_API {

struct ResizingOptions {
    int64_t height = 0, width = 0;
    std::string interpolation = "bilinear";

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("height", self.height);
        visit("width", self.width);
        visit("interpolation", self.interpolation);
    }
};

// A map of another size: "nearest" takes pixels, "bilinear" interpolates, both with half-pixel centres and without a
// filter before pixels are left out.
class Resizing : public LayerOf<Resizing, ResizingOptions> {
  public:
    static constexpr const char* kType = "Resizing";
    // Throws ValueError for sizes that are not positive and an unknown interpolation.
    Resizing(Options options, std::string name);

    Shape infer(const std::vector<Shape>& inputs) const override;
    void emit(PlanContext& plan) const override;
};

}  // namespace striate STRIATE_API
