#pragma once

#include "striate/loss.hpp"

namespace striate STRIATE_API {

struct WeightedSumOptions {
    ConfigPtr losses;             // by names that say nothing: each {"class": type, "config": its own arguments}
    std::vector<double> weights;  // one for each

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("losses", self.losses);
        visit("weights", self.weights);
    }
};

// The sum of losses of one output, each times a weight. They read the same targets: class labels where one of them
// wants such.
class WeightedSum : public LossOf<WeightedSum, WeightedSumOptions> {
  public:
    static constexpr const char* kType = "WeightedSum";
    // Throws ValueError unless there are losses, as many weights, all finite, and either all losses or none take
    // logits.
    explicit WeightedSum(Options options);
    // The same from losses; their weights are 1 where there are none.
    static std::shared_ptr<const WeightedSum> of(const std::vector<LossPtr>& losses, std::vector<double> weights = {});

    const std::vector<LossPtr>& losses() const { return losses_; }

    DType target_type() const override;
    bool takes_labels(const Shape& output) const override;
    // Throws ValueError if one of them wants labels and another cannot take them.
    Shape target_shape(const Shape& output, const std::string& layer) const override;
    void check_targets(const Array& targets, const Shape& output) const override;
    bool from_logits() const override;
    bool joins(const std::string& activation, const Shape& output) const override;
    // The sums of its losses, one after the other.
    int64_t sum_count(const Shape& output) const override;
    double value(const double* sums, const Shape& output) const override;
    std::vector<int64_t> ignored_classes() const override;
    void emit(const LossContext& context) const override;

  private:
    std::vector<LossPtr> losses_;
};

}  // namespace striate STRIATE_API
