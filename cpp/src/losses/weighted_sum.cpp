#include "striate/losses/weighted_sum.hpp"

#include <algorithm>
#include <cmath>

#include "losses/loss_steps.hpp"
#include "planning/kernel_call.hpp"
#include "striate/error.hpp"

namespace striate {
namespace {

LossPtr loss_of(const std::string& name, const ConfigValue& value) {
    const std::string where = concat("[", WeightedSum::kType, "] losses: ", name);
    ConfigPtr entry, config;
    read_value(value, entry, where);
    require(entry != nullptr, where, " is null");
    std::string type;
    const ConfigValue *given = entry->find("class"), *arguments = entry->find("config");
    require(given != nullptr, where, " lacks its class");
    read_value(*given, type, concat(where, ": class"));
    if (arguments) read_value(*arguments, config, concat(where, ": config"));
    require(type != WeightedSum::kType, where, " is a sum itself; add its losses instead");
    return make_loss(type, config ? *config : Config());
}

}  // namespace

WeightedSum::WeightedSum(Options options) : LossOf(std::move(options)) {
    require(options_.losses && !options_.losses->entries().empty(), "[", kType, "] needs at least one loss");
    for (const auto& [name, value] : options_.losses->entries()) losses_.push_back(loss_of(name, value));
    require(options_.weights.size() == losses_.size(), "[", kType, "] expects ", losses_.size(),
            " weights, one for each loss, got ", options_.weights.size());
    for (const double weight : options_.weights)
        require(std::isfinite(weight), "[", kType, "] weights must be finite numbers, got ", weight);
    for (const LossPtr& loss : losses_)
        require(loss->from_logits() == losses_[0]->from_logits(), "[", kType, "] ", losses_[0]->type(),
                losses_[0]->from_logits() ? " takes logits" : " does not take logits", " and ", loss->type(),
                loss->from_logits() ? " takes them" : " does not", "; give all of them the same from_logits");
}

std::shared_ptr<const WeightedSum> WeightedSum::of(const std::vector<LossPtr>& losses, std::vector<double> weights) {
    Config all;
    for (size_t i = 0; i < losses.size(); ++i) {
        Config one;
        one.set("class", losses[i]->type());
        one.set("config", std::make_shared<const Config>(losses[i]->config()));
        all.set(std::to_string(i), std::make_shared<const Config>(std::move(one)));
    }
    if (weights.empty()) weights.assign(losses.size(), 1.0);
    return std::make_shared<const WeightedSum>(Options{std::make_shared<const Config>(std::move(all)), weights});
}

DType WeightedSum::target_type() const {
    return std::any_of(losses_.begin(), losses_.end(),
                       [](const LossPtr& loss) { return loss->target_type() == DType::int64; })
               ? DType::int64
               : DType::float32;
}

bool WeightedSum::takes_labels(const Shape& output) const {
    return std::all_of(losses_.begin(), losses_.end(), [&](const LossPtr& loss) { return loss->takes_labels(output); });
}

Shape WeightedSum::target_shape(const Shape& output, const std::string& layer) const {
    const bool labels = target_type() == DType::int64;
    Shape shape;
    for (size_t i = 0; i < losses_.size(); ++i) {
        const LossPtr& loss = losses_[i];
        const Shape wanted = loss->target_shape(output, layer);
        require(!labels || loss->takes_labels(output), "[", kType, "] ", loss->type(),
                " cannot take the class labels that another of its losses wants, for the output ", with_batch(output),
                " of [", layer, "]");
        if (i == 0 || (labels && loss->target_type() == DType::int64)) shape = wanted;
    }
    return shape;
}

void WeightedSum::check_targets(const Array& targets, const Shape& output) const {
    for (const LossPtr& loss : losses_) loss->check_targets(targets, output);
}

bool WeightedSum::from_logits() const {
    return losses_[0]->from_logits();
}

bool WeightedSum::joins(const std::string& activation, const Shape& output) const {
    return std::all_of(losses_.begin(), losses_.end(),
                       [&](const LossPtr& loss) { return loss->joins(activation, output); });
}

int64_t WeightedSum::sum_count(const Shape& output) const {
    int64_t count = 0;
    for (const LossPtr& loss : losses_) count += loss->sum_count(output);
    return count;
}

double WeightedSum::value(const double* sums, const Shape& output) const {
    double total = 0.0;
    for (size_t i = 0; i < losses_.size(); ++i) {
        total += options_.weights[i] * losses_[i]->value(sums, output);
        sums += losses_[i]->sum_count(output);
    }
    return total;
}

std::vector<int64_t> WeightedSum::ignored_classes() const {
    std::vector<int64_t> all;
    for (const LossPtr& loss : losses_)
        for (const int64_t label : loss->ignored_classes()) all.push_back(label);
    return all;
}

void WeightedSum::emit(const LossContext& context) const {
    PlanContext& plan = context.plan;
    const Shape whole = plan.shape(context.prediction);
    const Shape output(whole.begin() + 1, whole.end());
    LossContext part = context;
    for (size_t i = 0; i < losses_.size(); ++i) {
        part.scale = static_cast<float>(context.scale * options_.weights[i]);
        if (i > 0 && context.gradient.valid()) part.gradient = plan.create(plan.shape(context.gradient));
        losses_[i]->emit(part);
        part.first_sum += losses_[i]->sum_count(output);
        if (i == 0 || !context.gradient.valid()) continue;
        const TensorId from = part.gradient, to = context.gradient;
        const kernels::AccumulateArgs args{plan.view(from), plan.view(to), nullptr, nullptr, 1.0f};
        plan.step(
            kernel_step(plan, kernels::K::accumulate, "sum losses", args, {reads(args.x, from), updates(args.y, to)}));
    }
}

}  // namespace striate
