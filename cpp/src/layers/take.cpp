#include "striate/layers/take.hpp"

#include <algorithm>

#include "planning/kernel_call.hpp"
#include "striate/error.hpp"

namespace striate {

Take::Take(Options options, std::string name) : LayerOf(std::move(options), std::move(name)) {
    require(!options_.indices.empty(), "[", label(), "] expects at least one index");
    require(*std::min_element(options_.indices.begin(), options_.indices.end()) >= 0, "[", label(),
            "] indices must not be negative, got ",
            *std::min_element(options_.indices.begin(), options_.indices.end()));
}

size_t Take::axis(const Shape& input) const {
    const auto rank = static_cast<int64_t>(input.size());
    const int64_t axis = options_.axis < 0 ? options_.axis + rank + 1 : options_.axis;
    require(axis >= 1 && axis <= rank, "[", label(), "] axis must be one of ", with_batch(input),
            " other than the batch, got ", options_.axis);
    require(rank <= 3, "[", label(), "] expects an input of at most 4 dimensions, got ", with_batch(input));
    return static_cast<size_t>(axis - 1);
}

Shape Take::infer(const std::vector<Shape>& inputs) const {
    Shape shape = single(inputs);
    const size_t along = axis(shape);
    const int64_t largest = *std::max_element(options_.indices.begin(), options_.indices.end());
    require(largest < shape[along], "[", label(), "] index ", largest, " is out of range for axis ", options_.axis,
            " of ", with_batch(shape));
    shape[along] = static_cast<int64_t>(options_.indices.size());
    return shape;
}

void Take::emit(PlanContext& plan) const {
    const TensorId x = plan.input(), y = plan.output();
    const Shape shape = plan.shape(x);
    const size_t along = axis(Shape(shape.begin() + 1, shape.end()));
    const int place = static_cast<int>(along + 4 - shape.size());  // of rows, columns and channels
    const auto count = static_cast<int64_t>(options_.indices.size());
    const TensorId indices = plan.constant(options_.indices.data(), {count}, DType::int64);
    const kernels::TakeArgs args{plan.view(x), plan.view(y), place, nullptr, nullptr, nullptr};
    plan.step(kernel_step(plan, kernels::K::take, "take", args,
                          {reads(args.indices, indices), reads(args.x, x), writes(args.y, y)}));
    plan.backward([taken = options_.indices, size = shape[along + 1], place](BackwardContext& p) {
        if (!p.wants_input_gradient()) return;
        const TensorId dy = p.output_gradient(), dx = p.input_gradient();
        std::vector<int64_t> begins(static_cast<size_t>(size) + 1), places(taken.size());
        for (int64_t index : taken) ++begins[static_cast<size_t>(index) + 1];
        for (size_t i = 1; i < begins.size(); ++i) begins[i] += begins[i - 1];
        std::vector<int64_t> next = begins;
        for (size_t i = 0; i < taken.size(); ++i)
            places[static_cast<size_t>(next[static_cast<size_t>(taken[i])]++)] = static_cast<int64_t>(i);
        const TensorId first = p.constant(begins.data(), {size + 1}, DType::int64);
        const TensorId list = p.constant(places.data(), {static_cast<int64_t>(places.size())}, DType::int64);
        const kernels::TakeGradArgs grad{p.view(dy), p.view(dx), place, nullptr, nullptr, nullptr, nullptr};
        p.step(kernel_step(
            p, kernels::K::take_backward, "take backward", grad,
            {reads(grad.begins, first), reads(grad.places, list), reads(grad.dy, dy), writes(grad.dx, dx)}));
    });
}

}  // namespace striate
