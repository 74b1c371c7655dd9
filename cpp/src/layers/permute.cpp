#include "striate/layers/permute.hpp"

#include <algorithm>

#include "planning/kernel_call.hpp"
#include "striate/error.hpp"

namespace striate {
namespace {

// Reorders memory from (outer, first, second, inner) to (outer, second, first, inner).
struct Exchange {
    int64_t outer, first, second, inner;
};

// The exchanges of neighbouring blocks that bring axes of these sizes (the batch is axis 0 and stays) into the order in
// which `dims` names them. None where no element moves.
std::vector<Exchange> exchanges(const Shape& sizes, const std::vector<int64_t>& dims) {
    std::vector<size_t> now{0}, wanted{0};
    for (size_t axis = 1; axis < sizes.size(); ++axis)
        if (sizes[axis] > 1) now.push_back(axis);
    for (int64_t dim : dims)
        if (sizes[static_cast<size_t>(dim)] > 1) wanted.push_back(static_cast<size_t>(dim));
    const auto product = [&](size_t begin, size_t end) {
        int64_t count = 1;
        for (size_t i = begin; i < end; ++i) count *= sizes[now[i]];
        return count;
    };
    std::vector<Exchange> list;
    for (size_t i = 1; i < now.size(); ++i) {
        if (now[i] == wanted[i]) continue;
        const auto found = static_cast<size_t>(std::find(now.begin(), now.end(), wanted[i]) - now.begin());
        size_t end = found + 1;
        while (end < now.size() && now[end] == wanted[i + end - found]) ++end;
        list.push_back({product(0, i), product(i, found), product(found, end), product(end, now.size())});
        const auto at = [&](size_t place) { return now.begin() + static_cast<std::ptrdiff_t>(place); };
        std::rotate(at(i), at(found), at(end));
    }
    return list;
}

Step exchange_step(const PlanContext& plan, const Exchange& e, TensorId from, TensorId to) {
    const int64_t image = e.first * e.second * e.inner;
    const View view_x{e.outer, e.second, e.first, e.inner, image, e.inner, e.second * e.inner};
    const View view_y{e.outer, e.second, e.first, e.inner, image, e.first * e.inner, e.inner};
    return copy_step(plan, "permute", from, view_x, 0, to, view_y, 0);
}

void emit_exchanges(PlanContext& plan, const std::vector<Exchange>& list, TensorId from, TensorId to) {
    const Shape whole{plan.batch(), element_count(plan.shape(to)) / plan.batch()};
    // Blocks are exchanged between tensors without gaps.
    if (!plan.contiguous(from)) {
        const TensorId dense = plan.create(plan.shape(from));
        plan.step(copy_step(plan, "permute", from, plan.view(from), 0, dense, plan.view(dense), 0));
        from = dense;
    }
    const bool direct = plan.contiguous(to);
    for (size_t i = 0; i < list.size(); ++i) {
        const bool last = i + 1 == list.size();
        const TensorId next = last && direct ? to : plan.create(last ? plan.shape(to) : whole);
        plan.step(exchange_step(plan, list[i], from, next));
        from = next;
    }
    if (!direct) plan.step(copy_step(plan, "permute", from, plan.view(from), 0, to, plan.view(to), 0));
}

}  // namespace

Permute::Permute(Options options, std::string name) : LayerOf(std::move(options), std::move(name)) {
    std::vector<int64_t> sorted = options_.dims;
    std::sort(sorted.begin(), sorted.end());
    bool each_once = !sorted.empty();
    for (size_t i = 0; i < sorted.size(); ++i) each_once = each_once && sorted[i] == static_cast<int64_t>(i) + 1;
    require(each_once, "[", label(), "] dims must hold each axis, counted from 1, once, such as (2, 1, 3), got ",
            to_string(options_.dims));
}

Shape Permute::infer(const std::vector<Shape>& inputs) const {
    const Shape& shape = single(inputs);
    require(shape.size() == options_.dims.size(), "[", label(), "] dims ", to_string(options_.dims), " are for ",
            options_.dims.size(), " axes beside the batch, got ", with_batch(shape));
    Shape result;
    for (int64_t dim : options_.dims) result.push_back(shape[static_cast<size_t>(dim - 1)]);
    return result;
}

void Permute::emit(PlanContext& plan) const {
    const TensorId x = plan.input();
    const std::vector<Exchange> forward = exchanges(plan.shape(x), options_.dims);
    if (forward.empty()) {
        plan.output_is(x);
        plan.backward([](BackwardContext& p) { p.pass_input_gradient(0, p.output_gradient()); });
        return;
    }
    emit_exchanges(plan, forward, x, plan.output());
    plan.backward([dims = options_.dims](BackwardContext& p) {
        if (!p.wants_input_gradient()) return;
        const TensorId dy = p.output_gradient();
        std::vector<int64_t> inverse(dims.size());
        for (size_t i = 0; i < dims.size(); ++i)
            inverse[static_cast<size_t>(dims[i] - 1)] = static_cast<int64_t>(i) + 1;
        emit_exchanges(p, exchanges(p.shape(dy), inverse), dy, p.input_gradient());
    });
}

}  // namespace striate
