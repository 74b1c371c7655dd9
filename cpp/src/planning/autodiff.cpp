// The backward pass: the tape of the forward pass, walked in reverse. A value's gradient is the sum of what its readers
// contribute, in a fixed order.
#include "planning/kernel_call.hpp"
#include "planning/plan_builder.hpp"

#include <algorithm>

#include "striate/error.hpp"

namespace striate {

bool PlanBuilder::wants_parameter_gradient(const std::string& parameter) const {
    const ParameterInfo& info = parameters_.infos()[parameter_index(node().graph_layer, parameter)];
    return request_.backward && request_.weight_gradients && info.trainable && !frozen();
}

bool PlanBuilder::wants_input_gradient(size_t index) const {
    return request_.backward && network_.values[node().inputs.at(index)].needs_gradient;
}

void PlanBuilder::backward(std::function<void(BackwardContext&)> emit) {
    if (request_.backward && value(node().output).needs_gradient) tape_.emplace_back(current_, std::move(emit));
}

TensorId PlanBuilder::gradient_of(int index) {
    PlanValue& v = value(index);
    if (v.gradients.empty()) return {};
    // The others are added to the first that may be written, and be it by way of a copy.
    const auto usable = [&](const PlanValue::Contribution& c) {
        return c.owned && halo(c.tensor).covers(v.gradient_halo);
    };
    if (v.gradients.size() > 1) {
        const auto base = std::find_if(v.gradients.begin(), v.gradients.end(), usable);
        if (base != v.gradients.end()) std::rotate(v.gradients.begin(), base, base + 1);
    }
    PlanValue::Contribution sum = v.gradients.front();
    for (size_t i = 1; i < v.gradients.size(); ++i) {
        if (!usable(sum)) {
            const TensorId copy = create(batched(v.shape), v.gradient_halo, DType::float32);
            emit_copy("copy gradient", sum.tensor, copy);
            sum = {copy, true};
        }
        emit_accumulate("sum gradients", v.gradients[i].tensor, sum.tensor);
    }
    if (!halo(sum.tensor).covers(v.gradient_halo)) {
        const TensorId copy = create(batched(v.shape), v.gradient_halo, DType::float32);
        emit_copy("copy gradient", sum.tensor, copy);
        sum = {copy, true};
    }
    v.gradients.assign(1, sum);
    return sum.tensor;
}

TensorId PlanBuilder::output_gradient() {
    return gradient_of(node().output);
}

TensorId PlanBuilder::input_gradient(size_t index) {
    PlanValue& v = value(node().inputs.at(index));
    require(v.needs_gradient, "[", name(), "] the gradient of input ", index, " was not requested");
    const TensorId made = create(batched(v.shape), v.gradient_halo, DType::float32);
    v.gradients.push_back({made, true});
    return made;
}

void PlanBuilder::pass_input_gradient(size_t index, TensorId gradient) {
    PlanValue& v = value(node().inputs.at(index));
    if (!v.needs_gradient) return;
    const Shape whole = batched(v.shape);
    if (shape(gradient) != whole) gradient = alias(contiguous_copy(gradient), whole);
    v.gradients.push_back({gradient, false});
}

TensorId PlanBuilder::gradient_place(int index) {
    return outside(measuring_ ? nullptr : &parameters_.gradients(),
                   sizeof(float) * static_cast<size_t>(parameters_.arena_begin(index)),
                   parameters_.infos()[index].shape);
}

TensorId PlanBuilder::parameter_gradient(const std::string& parameter) {
    const int index = parameter_index(node().graph_layer, parameter);
    const ParameterInfo& info = parameters_.infos()[index];
    TensorId& id = gradient_tensors_[index];
    if (!id.valid()) id = gradient_place(index);
    if (!gradient_written_[index]) {
        gradient_written_[index] = 1;
        return id;
    }
    // A layer that is called twice: the second call's share is added to the first's.
    const TensorId share = create(info.shape, {}, DType::float32);
    pending_sums_.emplace_back(share, id);
    return share;
}

void PlanBuilder::emit_output_seeds() {
    for (size_t o = 0; o < request_.outputs.size(); ++o) {
        PlanValue& v = value(network_.node_values[request_.outputs[o]]);
        if (!v.needs_gradient) continue;
        const TensorId seed = create(batched(v.shape), v.gradient_halo, DType::float32);
        emit_gather("gather output gradients", &PlanData::output_gradients, o, seed);
        v.gradients.push_back({seed, true});
    }
}

void PlanBuilder::emit_backward() {
    for (size_t i = tape_.size(); i-- > 0;) {
        current_ = tape_[i].first;
        if (value(node().output).gradients.empty()) continue;
        tape_[i].second(*this);
        for (const auto& [share, total] : pending_sums_) emit_accumulate("sum shared gradients", share, total);
        pending_sums_.clear();
    }
    current_ = -1;
    // What no output depends on has no gradient; a former pass must not show through.
    for (size_t i = 0; i < parameters_.infos().size(); ++i) {
        const ParameterInfo& info = parameters_.infos()[i];
        if (!request_.weight_gradients || !info.trainable || frozen(info.layer) || gradient_written_[i]) continue;
        const TensorId id = gradient_place(static_cast<int>(i));
        const int64_t size = element_count(info.shape);
        const kernels::FillArgs args{{1, 1, 1, size, size, size, size}, nullptr, 0.0f};
        step(kernel_step(*this, kernels::K::fill, "zero gradient", args, {writes(args.y, id)}));
    }
    auto keep = [&](TensorId id) {
        if (id.valid()) storages_[tensors_[id.index].storage].forever = true;
        return id;
    };
    for (int watched : request_.watched) {
        const int index = network_.node_values[watched];
        plan_->watched_values_.push_back(keep(value(index).tensor));
        plan_->watched_gradients_.push_back(keep(gradient_of(index)));
    }
    if (request_.input_gradient)
        for (int node : sources()) {
            const int index = network_.node_values[node];
            plan_->input_gradients_.push_back(index < 0 ? TensorId{} : keep(gradient_of(index)));
        }
}

}  // namespace striate
