#pragma once

#include <optional>

#include "striate/loss.hpp"

namespace striate STRIATE_API {

struct CategoricalFocalCrossentropyOptions {
    std::vector<double> alpha{0.25};  // one number, or one for each class
    double gamma = 2.0;
    bool from_logits = false;
    double label_smoothing = 0.0;
    std::optional<int64_t> ignore_class;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("alpha", self.alpha);
        visit("gamma", self.gamma);
        visit("from_logits", self.from_logits);
        visit("label_smoothing", self.label_smoothing);
        visit("ignore_class", self.ignore_class);
    }
};

// Categorical cross-entropy with each class times alpha * (1 - p)^gamma (Lin et al. 2017), for targets with a
// probability for each class or for class labels, of which `ignore_class` do not count: the mean is over the others.
class CategoricalFocalCrossentropy : public LossOf<CategoricalFocalCrossentropy, CategoricalFocalCrossentropyOptions> {
  public:
    static constexpr const char* kType = "CategoricalFocalCrossentropy";
    // Throws ValueError for numbers out of range.
    explicit CategoricalFocalCrossentropy(Options options);

    bool from_logits() const override { return options_.from_logits; }
    std::string joint_activation() const override { return "softmax"; }
    bool takes_labels(const Shape&) const override { return true; }
    Shape target_shape(const Shape& output, const std::string& layer) const override;
    // Throws ValueError for a target outside 0 to 1, or a label that is not a class.
    void check_targets(const Array& targets, const Shape& output) const override;
    std::vector<int64_t> ignored_classes() const override {
        return options_.ignore_class ? std::vector<int64_t>{*options_.ignore_class} : std::vector<int64_t>();
    }
    void emit(const LossContext& context) const override;
};

}  // namespace striate STRIATE_API
