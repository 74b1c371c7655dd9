#pragma once

#include "striate/layer.hpp"

namespace striate STRIATE_API {

struct TakeOptions {
    std::vector<int64_t> indices = {};
    int64_t axis = -1;  // the batch is axis 0

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("indices", self.indices);
        visit("axis", self.axis);
    }
};

// The elements with these numbers along an axis, in this order; one may be taken several times.
class Take : public LayerOf<Take, TakeOptions> {
  public:
    static constexpr const char* kType = "Take";
    // Throws ValueError when there are no indices or one is negative.
    Take(Options options, std::string name);

    Shape infer(const std::vector<Shape>& inputs) const override;
    Window window() const override { return {{1}, {1}, true}; }
    void emit(PlanContext& plan) const override;

  private:
    size_t axis(const Shape& input) const;
};

}  // namespace striate STRIATE_API
