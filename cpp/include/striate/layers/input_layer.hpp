#pragma once

#include "striate/layer.hpp"

namespace striate STRIATE_API {

struct InputLayerOptions {
    std::vector<int64_t> shape = {};  // of one sample, without the batch: (h, w, c), (h, w) or (c)

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("shape", self.shape);
    }
};

// Where a network's data come in; made by input().
class InputLayer : public LayerOf<InputLayer, InputLayerOptions> {
  public:
    static constexpr const char* kType = "InputLayer";

    // Throws ValueError unless the shape has one to three sizes of at least 1.
    InputLayer(Options options, std::string name);

    Shape infer(const std::vector<Shape>& inputs) const override;
    // The plan binds a model's inputs itself.
    void emit(PlanContext&) const override {}
};

}  // namespace striate STRIATE_API
