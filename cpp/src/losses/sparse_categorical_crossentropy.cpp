#include "striate/losses/sparse_categorical_crossentropy.hpp"

#include "losses/loss_steps.hpp"

namespace striate {

Shape SparseCategoricalCrossentropy::target_shape(const Shape& output, const std::string& layer) const {
    losses::check_classes(output, kType, layer);
    return Shape(output.begin(), output.end() - 1);
}

void SparseCategoricalCrossentropy::check_targets(const Array& targets, const Shape& output) const {
    losses::check_labels(targets, output, options_.ignore_class, kType);
}

void SparseCategoricalCrossentropy::emit(const LossContext& context) const {
    losses::emit_sparse_loss(context, options_.ignore_class);
}

}  // namespace striate
