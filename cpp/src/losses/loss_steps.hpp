// Steps and checks that losses share.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kernels/args.hpp"
#include "striate/loss.hpp"

namespace striate::losses {

// Throws ValueError, naming `owner`, when the number is out of range.
void check_smoothing(double label_smoothing, const std::string& owner);
void check_at_least_zero(double value, const char* argument, const std::string& owner);

// Throws ValueError unless all (floating-point) targets are within 0 to 1; NaN passes.
void check_probabilities(const Array& targets, const std::string& owner);

// Throws ValueError, naming `owner` and the layer, unless the output has a class for each of at least two numbers in
// its last axis.
void check_classes(const Shape& output, const std::string& owner, const std::string& layer);

// Whether targets for an output of several classes are class labels: they lack its last axis.
bool are_labels(const Array& targets, const Shape& output);
// Throws ValueError for a label that is not a class of the output and not `ignored`, TypeError for labels that are no
// integers.
void check_labels(const Array& targets, const Shape& output, std::optional<int64_t> ignored, const std::string& owner);
// Throws ValueError where a class is to be ignored, for targets that are not labels.
void check_ignore_needs_labels(std::optional<int64_t> ignored, const std::string& owner);

// What kernels are told about int64 labels; the pointer to them is for the step to bind.
kernels::Labels labels_of(std::optional<int64_t> ignored);
// A tensor of as many doubles.
TensorId doubles(PlanContext& plan, int64_t count);

// A loss that is the mean over a row of a function of each prediction and its target.
void emit_element_loss(const LossContext& context, const kernels::ElementLossArgs& kind);
// Cross-entropy with targets for each class, or, in the focal loss, class labels; `alphas` of the focal loss, one
// number or one for each class.
void emit_categorical_loss(const LossContext& context, const kernels::CategoricalLossArgs& kind,
                           const std::vector<double>& alphas, std::optional<int64_t> ignored = {});
void emit_sparse_loss(const LossContext& context, std::optional<int64_t> ignored);

// Which axes a loss of overlap does not sum over.
struct Apart {
    bool images = false, channels = false;
};
// Throws ValueError for axes that the output has not, or that leave out a middle one.
void check_overlap_axes(const std::optional<std::vector<int64_t>>& axis, const Shape& output, const std::string& owner);
// Which loss of overlap it is.
struct OverlapKind {
    kernels::OverlapIndex index;
    const std::optional<std::vector<int64_t>>& axis;
    std::optional<int64_t> ignored;
};
void emit_overlap_loss(const LossContext& context, const OverlapKind& kind);
// Loss::sum_count() and Loss::value() of it.
int64_t overlap_sum_count(const OverlapKind& kind, const Shape& output);
double overlap_value(const OverlapKind& kind, const double* sums, const Shape& output);
// The activation whose input losses of overlap can take, by the number of channels.
const char* overlap_activation(const Shape& output);

}  // namespace striate::losses
