#include "layers/constant_affine.hpp"

#include "layers/normalization_steps.hpp"
#include "striate/error.hpp"

namespace striate {
namespace {

TensorId constant(PlanContext& plan, const std::vector<double>& numbers, int64_t channels) {
    std::vector<float> values(static_cast<size_t>(channels));
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(numbers[numbers.size() == 1 ? 0 : i]);
    return plan.constant(values.data(), {channels}, DType::float32);
}

}  // namespace

void check_channels(const std::vector<double>& numbers, const char* argument, const Shape& input,
                    const std::string& owner) {
    const auto count = static_cast<int64_t>(numbers.size());
    require(count == 1 || count == input.back(), "[", owner, "] ", argument,
            " must be one number or one for each of the ", input.back(), " channels of ", with_batch(input), ", got ",
            count);
}

void emit_constant_affine(PlanContext& plan, const ConstantAffine& constants) {
    const TensorId x = plan.input(), y = plan.output();
    const int64_t channels = plan.shape(x).back();
    const normalization::Affine affine{constant(plan, constants.mean, channels),
                                       constant(plan, constants.scale, channels),
                                       constant(plan, constants.shift, channels)};
    normalization::emit_affine(plan, x, y, affine);
    plan.backward([=](BackwardContext& p) {
        if (p.wants_input_gradient()) normalization::emit_affine_backward(p, x, p.output_gradient(), affine, {});
    });
}

}  // namespace striate
