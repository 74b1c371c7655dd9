#pragma once

#include <optional>

#include "striate/layer.hpp"
#include "striate/layers/padding.hpp"

namespace striate STRIATE_API {

struct AveragePooling2DOptions {
    Pair pool_size{2};
    std::optional<Pair> strides = {};  // pool_size when not given
    Padding padding = {};

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("pool_size", self.pool_size);
        visit("strides", self.strides);
        visit("padding", self.padding);
    }
};

// The mean of each window, channel by channel; padding is not part of it.
class AveragePooling2D : public LayerOf<AveragePooling2D, AveragePooling2DOptions> {
  public:
    static constexpr const char* kType = "AveragePooling2D";
    // Throws ValueError for sizes that are not positive, for an unknown padding, and for margins as large as the
    // window.
    AveragePooling2D(Options options, std::string name);

    Shape infer(const std::vector<Shape>& inputs) const override;
    Window window() const override { return {options_.pool_size, strides()}; }
    void emit(PlanContext& plan) const override;

  private:
    Pair strides() const { return options_.strides.value_or(options_.pool_size); }
};

}  // namespace striate STRIATE_API
