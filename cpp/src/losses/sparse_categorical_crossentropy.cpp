#include "striate/losses/sparse_categorical_crossentropy.hpp"

#include "losses/loss_steps.hpp"

namespace striate {

namespace {

template <class T>
void check_labels(const Array& targets, int64_t classes, std::optional<int64_t> ignored) {
    const T* labels = static_cast<const T*>(targets.data);
    for (int64_t i = 0, n = element_count(targets.shape); i < n; ++i) {
        const auto label = static_cast<int64_t>(labels[i]);
        if ((label >= 0 && label < classes) || (ignored && label == *ignored)) continue;
        fail("[SparseCategoricalCrossentropy] labels must be within 0 to ", classes - 1, " for an output of ", classes,
             " classes, got ", label, " (element ", i, " of the targets)");
    }
}

}  // namespace

Shape SparseCategoricalCrossentropy::target_shape(const Shape& output, const std::string& layer) const {
    losses::check_classes(output, kType, layer);
    return Shape(output.begin(), output.end() - 1);
}

void SparseCategoricalCrossentropy::check_targets(const Array& targets, const Shape& output) const {
    switch (targets.type) {
        case DType::uint8:
            return check_labels<uint8_t>(targets, output.back(), options_.ignore_class);
        case DType::int32:
            return check_labels<int32_t>(targets, output.back(), options_.ignore_class);
        case DType::int64:
            return check_labels<int64_t>(targets, output.back(), options_.ignore_class);
        case DType::float32:
            throw TypeError("[SparseCategoricalCrossentropy] labels must be integers, got float32");
    }
}

void SparseCategoricalCrossentropy::emit(const LossContext& context) const {
    losses::emit_sparse_loss(context, options_.ignore_class);
}

}  // namespace striate
