#pragma once

#include <optional>

#include "striate/layer.hpp"
#include "striate/layers/padding.hpp"

namespace striate STRIATE_API {

struct MaxPooling2DOptions {
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

// The largest value of each window, channel by channel.
class MaxPooling2D : public LayerOf<MaxPooling2D, MaxPooling2DOptions> {
  public:
    static constexpr const char* kType = "MaxPooling2D";
    // Throws ValueError for sizes that are not positive, for an unknown padding, and for margins as large as the
    // window.
    MaxPooling2D(Options options, std::string name);

    Shape infer(const std::vector<Shape>& inputs) const override;
    Window window() const override { return {options_.pool_size, strides()}; }
    void emit(PlanContext& plan) const override;

  private:
    Pair strides() const { return options_.strides.value_or(options_.pool_size); }
};

}  // namespace striate STRIATE_API
