// What a loss is: it checks targets against an output and adds the steps that compute its value and gradient together.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "striate/config.hpp"
#include "striate/plan.hpp"
#include "striate/tensor.hpp"

namespace striate STRIATE_API {

// What a loss is told of a batch that its own is a part of: the gradients of the parts are added.
struct WholeBatch {
    double rows_per_row = 1.0;  // rows of the whole for each row of the part; LossContext::scale is divided by it
    // Of each of Loss::ignored_classes(), how many targets of the whole batch are not of that class. Written before
    // each step; the numbers stay where they are.
    std::vector<std::pair<int64_t, double>> counted;

    const double* counted_without(int64_t ignored) const {
        for (const auto& [label, count] : counted)
            if (label == ignored) return &count;
        return nullptr;
    }
};

// What a loss gets of the plan. Tensors are whole batches without a halo.
struct LossContext {
    PlanContext& plan;
    TensorId prediction;  // the network's output, or, when `logits`, the input of the softmax or sigmoid before it
    bool logits;          // whether `prediction` are logits (by the loss's own `from_logits` or by joint computation)
    TensorId target;      // in the loss's target_type(), or int64 labels
    bool labels;          // whether targets are class labels
    TensorId weights;     // float32: one per sample, or one per row (pixel) of the prediction
    TensorId gradient;    // to write, every element of it; not valid when no backward pass follows
    TensorId sums;        // doubles to write, from number `first_sum` on: the loss's sums over the batch
    int64_t first_sum;
    float scale;  // the weight of this loss in the sum of losses, already to be in the gradient
    // Null where the batch is whole. Otherwise `scale` has been multiplied by the part's share of the rows.
    const WholeBatch* whole = nullptr;
};

class Loss {
  public:
    virtual ~Loss() = default;
    virtual std::string type() const = 0;
    virtual Config config() const = 0;

    virtual DType target_type() const { return DType::float32; }
    // Whether targets may be, or must be, class labels for an output of this shape: integers, one for each row (pixel)
    // of the output.
    virtual bool takes_labels(const Shape& output) const {
        (void)output;
        return target_type() == DType::int64;
    }
    // The shape that targets must have (without the batch) for an output of this shape. Throws ValueError if the loss
    // cannot take such an output, naming the layer that makes it.
    virtual Shape target_shape(const Shape& output, const std::string& layer) const {
        (void)layer;
        return output;
    }
    // Checks the values of a whole array of targets, such as the range of labels. Done once for an array, before any
    // training.
    virtual void check_targets(const Array& targets, const Shape& output) const {
        (void)targets;
        (void)output;
    }

    // Whether predictions are logits, and the activation ("softmax", "sigmoid") whose input it can take instead.
    virtual bool from_logits() const { return false; }
    virtual std::string joint_activation() const { return {}; }
    // Whether it can take the input of this activation, "softmax" or "sigmoid", for an output of this shape.
    virtual bool joins(const std::string& activation, const Shape& output) const {
        (void)output;
        return !activation.empty() && activation == joint_activation();
    }

    // Class labels without a loss, where the mean is over the other targets: their number is counted in the whole batch
    // before a step on a part of it.
    virtual std::vector<int64_t> ignored_classes() const { return {}; }

    // A loss follows from sums over samples (or pixels), so that the loss of several batches is that of their sums
    // added up: how many sums there are for an output of this shape, and the loss of them. By default it is the first
    // sum over the second, and 0 where the second is 0.
    virtual int64_t sum_count(const Shape& output) const {
        (void)output;
        return 2;
    }
    virtual double value(const double* sums, const Shape& output) const {
        (void)output;
        return sums[1] != 0.0 ? sums[0] / sums[1] : 0.0;
    }

    virtual void emit(const LossContext& context) const = 0;
};

using LossPtr = std::shared_ptr<const Loss>;

template <class Derived, class OptionsType>
class LossOf : public Loss {
  public:
    using Options = OptionsType;
    explicit LossOf(Options options = {}) : options_(std::move(options)) {}
    std::string type() const override { return Derived::kType; }
    Config config() const override { return write_fields(options_); }
    const Options& options() const { return options_; }

  protected:
    Options options_;
};

LossPtr make_loss(const std::string& type, const Config& config);
std::vector<std::string> loss_types();

}  // namespace striate STRIATE_API
