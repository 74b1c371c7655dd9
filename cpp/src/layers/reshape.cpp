#include "striate/layers/reshape.hpp"

#include <algorithm>

#include "striate/error.hpp"

namespace striate {

Reshape::Reshape(Options options, std::string name) : LayerOf(std::move(options), std::move(name)) {
    const Shape& target = options_.target_shape;
    require(!target.empty(), "[", label(), "] target_shape must have at least one size");
    require(std::count(target.begin(), target.end(), -1) <= 1, "[", label(), "] target_shape may have one -1, got ",
            to_string(target));
    for (int64_t size : target)
        require(size > 0 || size == -1, "[", label(), "] target_shape must have positive sizes, or one -1, got ",
                to_string(target));
}

Shape Reshape::infer(const std::vector<Shape>& inputs) const {
    const Shape& from = single(inputs);
    const int64_t count = element_count(from);
    Shape to = options_.target_shape;
    const auto open = std::find(to.begin(), to.end(), -1);
    if (open != to.end()) {
        *open = 1;
        const int64_t rest = element_count(to);
        *open = count % rest == 0 ? count / rest : 0;
    }
    require(element_count(to) == count, "[", label(), "] cannot turn ", with_batch(from), ", ", count,
            " elements a sample, into ", with_batch(options_.target_shape));
    return to;
}

void Reshape::emit(PlanContext& plan) const {
    plan.output_is(plan.input());
    plan.backward([](BackwardContext& p) { p.pass_input_gradient(0, p.output_gradient()); });
}

}  // namespace striate
