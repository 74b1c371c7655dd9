// The layer of CONTRIBUTING.md: its code compiles, its gradients follow from its definition.
#include "check.hpp"
#include "striate/striate.hpp"

#include "scale.hpp"  // out of CONTRIBUTING.md

#include "scale.cpp"  // out of CONTRIBUTING.md

using namespace striate;

int main() {
    const Symbol x = input({3, 2, 5});
    Model model({x}, {apply(std::make_shared<const Scale>(ScaleOptions{"random_normal(1, 0.5)"}, "scale"), {x})}, 7);
    check::Random random(1);
    Tensor values({4, 3, 2, 5}), gradient({4, 3, 2, 5});
    for (int64_t i = 0; i < values.size(); ++i) {
        values.data()[i] = static_cast<float>(random.normal());
        gradient.data()[i] = static_cast<float>(random.normal());
    }
    const Tensor y = std::move(model.forward({values})[0]);
    const Tensor dx = std::move(model.backward({gradient})[0]);
    const ParameterInfo& scale = model.parameters().at(0);
    CHECK(scale.name == "scale/scale" && scale.shape == Shape{5});
    std::vector<double> sums(5, 0.0);
    for (int64_t i = 0; i < values.size(); ++i) {
        CHECK_CLOSE(y.data()[i], values.data()[i] * scale.value[i % 5], 1e-6, std::to_string(i));
        CHECK_CLOSE(dx.data()[i], gradient.data()[i] * scale.value[i % 5], 1e-6, std::to_string(i));
        sums[static_cast<size_t>(i % 5)] += static_cast<double>(values.data()[i]) * gradient.data()[i];
    }
    for (size_t c = 0; c < 5; ++c) CHECK_CLOSE(scale.gradient[c], sums[c], 1e-4, "channel " + std::to_string(c));
    return check::finish();
}
