#pragma once

#include <optional>

#include "striate/loss.hpp"

namespace striate STRIATE_API {

struct SparseCategoricalCrossentropyOptions {
    bool from_logits = false;
    std::optional<int64_t> ignore_class;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("from_logits", self.from_logits);
        visit("ignore_class", self.ignore_class);
    }
};

// -log(p of the label) for integer labels; rows of `ignore_class` do not count, and the mean is over the others.
class SparseCategoricalCrossentropy
    : public LossOf<SparseCategoricalCrossentropy, SparseCategoricalCrossentropyOptions> {
  public:
    static constexpr const char* kType = "SparseCategoricalCrossentropy";
    using LossOf::LossOf;

    bool from_logits() const override { return options_.from_logits; }
    std::string joint_activation() const override { return "softmax"; }
    DType target_type() const override { return DType::int64; }
    // The output's without its last axis.
    Shape target_shape(const Shape& output, const std::string& layer) const override;
    // Throws ValueError for a label that is not a class.
    void check_targets(const Array& targets, const Shape& output) const override;
    std::vector<int64_t> ignored_classes() const override {
        return options_.ignore_class ? std::vector<int64_t>{*options_.ignore_class} : std::vector<int64_t>();
    }
    void emit(const LossContext& context) const override;
};

}  // namespace striate STRIATE_API
