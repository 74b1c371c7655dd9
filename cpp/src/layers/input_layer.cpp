#include "striate/layers/input_layer.hpp"

namespace striate {

InputLayer::InputLayer(Options options, std::string name) : LayerOf(std::move(options), std::move(name)) {
    const Shape& shape = options_.shape;
    require(shape.size() >= 1 && shape.size() <= 3, "[", label(),
            "] shape must have one to three sizes, (h, w, c), (h, w) or (c), without the batch; got ",
            to_string(shape));
    for (int64_t size : shape)
        require(size >= 1, "[", label(), "] shape must have sizes of at least 1, got ", to_string(shape));
    element_count(shape);
}

Shape InputLayer::infer(const std::vector<Shape>& inputs) const {
    require(inputs.empty(), "[", label(), "] is a network's input and takes no inputs itself, got ", inputs.size());
    return options_.shape;
}

}  // namespace striate
