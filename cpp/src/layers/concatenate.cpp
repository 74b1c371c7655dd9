#include "striate/layers/concatenate.hpp"

#include "planning/kernel_call.hpp"
#include "striate/error.hpp"

namespace striate {
namespace {

// The part of `whole` that begins `begin` along an axis (counted from the last: 0 channels, 1 columns, 2 rows) and has
// the size of `part`, and where it begins in memory.
View part_of(const View& whole, const View& part, size_t from_last, int64_t begin, int64_t& offset) {
    View view = whole;
    const int64_t strides[] = {1, whole.pixel, whole.row};
    offset = begin * strides[from_last];
    if (from_last == 0) view.c = part.c;
    if (from_last == 1) view.w = part.w;
    if (from_last == 2) view.h = part.h;
    return view;
}

}  // namespace

size_t Concatenate::axis(const Shape& input) const {
    const auto rank = static_cast<int64_t>(input.size());
    const int64_t axis = options_.axis < 0 ? options_.axis + rank + 1 : options_.axis;
    require(axis >= 1 && axis <= rank, "[", label(), "] axis must be one of ", with_batch(input),
            " other than the batch, got ", options_.axis);
    require(rank <= 3, "[", label(), "] expects inputs of at most 4 dimensions, got ", with_batch(input));
    return static_cast<size_t>(axis - 1);
}

Shape Concatenate::infer(const std::vector<Shape>& inputs) const {
    require(inputs.size() >= 2, "[", label(), "] expects at least two inputs, got ", inputs.size());
    const size_t along = axis(inputs[0]);
    Shape whole = inputs[0];
    for (size_t i = 1; i < inputs.size(); ++i) {
        Shape other = inputs[i];
        bool fits = other.size() == whole.size();
        if (fits) {
            other[along] = whole[along];
            fits = other == whole;
        }
        require(fits, "[", label(), "] inputs must have the same shape except along axis ", options_.axis, ", got ",
                with_batch(inputs[0]), " and ", with_batch(inputs[i]));
        whole[along] += inputs[i][along];
    }
    return whole;
}

void Concatenate::emit(PlanContext& plan) const {
    const TensorId y = plan.output();
    const Shape shape = plan.shape(y);
    const size_t along = axis(Shape(shape.begin() + 1, shape.end())), from_last = shape.size() - 2 - along;
    const View view_y = plan.view(y);
    std::vector<char> in_place;  // whether an input was written where it belongs already
    int64_t begin = 0;
    for (size_t i = 0; i < plan.input_count(); ++i) {
        const TensorId x = plan.input(i);
        const View view_x = plan.view(x);
        in_place.push_back(from_last == 0 && plan.same_memory(x, plan.channels(y, begin, view_x.c)));
        if (in_place.back()) {
            begin += view_x.c;
            continue;
        }
        int64_t offset = 0;
        const View part = part_of(view_y, view_x, from_last, begin, offset);
        plan.step(copy_step(plan, "concatenate", x, view_x, 0, y, part, offset));
        begin += plan.shape(x)[along + 1];
    }
    plan.backward([=](BackwardContext& p) {
        const TensorId dy = p.output_gradient();
        const View view_dy = p.view(dy);
        int64_t at = 0;
        for (size_t i = 0; i < p.input_count(); ++i) {
            const int64_t size = p.shape(p.input(i))[along + 1];
            if (in_place[i]) {
                p.pass_input_gradient(i, p.channels(dy, at, size));
            } else if (p.wants_input_gradient(i)) {
                const TensorId dx = p.input_gradient(i);
                int64_t offset = 0;
                const View part = part_of(view_dy, p.view(dx), from_last, at, offset);
                p.step(copy_step(p, "concatenate backward", dy, part, offset, dx, p.view(dx), 0));
            }
            at += size;
        }
    });
}

}  // namespace striate
