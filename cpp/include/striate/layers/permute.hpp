#pragma once

#include "striate/layer.hpp"

namespace striate STRIATE_API {

struct PermuteOptions {
    std::vector<int64_t> dims = {};  // of the output, which axis of the input each is, counted from 1 as the batch is 0

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("dims", self.dims);
    }
};

// The axes of a sample in another order.
class Permute : public LayerOf<Permute, PermuteOptions> {
  public:
    static constexpr const char* kType = "Permute";
    // Throws ValueError unless `dims` holds each of 1 … n once.
    Permute(Options options, std::string name);

    Shape infer(const std::vector<Shape>& inputs) const override;
    Window window() const override { return {{1}, {1}, true}; }
    void emit(PlanContext& plan) const override;
};

}  // namespace striate STRIATE_API
