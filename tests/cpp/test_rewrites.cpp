// Which steps a plan is left with: what the rewrites promise to save, and that they keep away where somebody looks.
#include <algorithm>

#include "check.hpp"
#include "graph/model_state.hpp"
#include "striate/error.hpp"
#include "striate/layers/activation.hpp"
#include "striate/layers/add.hpp"
#include "striate/layers/batch_normalization.hpp"
#include "striate/layers/concatenate.hpp"
#include "striate/layers/conv2d.hpp"
#include "striate/layers/max_pooling2d.hpp"
#include "striate/layers/relu.hpp"

using namespace striate;

namespace {

enum class Pass { inference, training };

Symbol convolved(const Symbol& x, int64_t filters) {
    Conv2DOptions options;
    options.filters = filters;
    options.kernel_size = 3;
    options.padding = "same";
    return striate::apply(std::make_shared<const Conv2D>(options, ""), {x});
}

template <class L>
Symbol with(const std::vector<Symbol>& inputs) {
    return striate::apply(std::make_shared<const L>(typename L::Options{}, ""), inputs);
}

std::unique_ptr<Plan> plan_of(Model& model, Pass pass, bool fusion = true, const std::vector<int>& outputs = {}) {
    dispatch::use_training_kernels();
    PlanRequest request;
    request.batch = 2;
    request.options.fusion = fusion;
    request.training = request.backward = pass == Pass::training;
    request.outputs = outputs.empty() ? model.graph().outputs : outputs;
    return build_plan(model.graph(), model.state().parameters, request);
}

int64_t count(const Plan& plan, const std::string& what) {
    return std::count_if(plan.steps().begin(), plan.steps().end(), [&](const Step& s) { return what == s.what; });
}

TEST_CASE("normalization is folded into the convolution at inference") {
    const Symbol x = input({8, 8, 3});
    const Symbol y = with<BatchNormalization>({convolved(x, 4)}), z = with<ReLU>({y});
    Model model({x}, {with<MaxPooling2D>({z})}, 1);
    const auto fused = plan_of(model, Pass::inference), plain = plan_of(model, Pass::inference, false);
    CHECK(count(*fused, "normalise") == 0);
    CHECK(count(*fused, "activation") == 0);
    CHECK(count(*fused, "convolution, max pool, relu") == 1);
    CHECK(count(*fused, "max pool") == 0);
    CHECK(count(*plain, "normalise") == 1);
    CHECK(count(*plain, "activation") == 1);
    CHECK(count(*plain, "convolution") == 1);
    CHECK(count(*plan_of(model, Pass::training), "batch statistics") == 1);
    // A caller that asks for the convolution gets the convolution.
    const auto watched = plan_of(model, Pass::inference, true, {1, static_cast<int>(model.graph().nodes.size()) - 1});
    CHECK(count(*watched, "normalise, max pool, relu") == 1);
}

LayerPtr activation(const char* name) {
    return std::make_shared<const Activation>(ActivationOptions{name}, "");
}

// At inference by the convolution, and in training by the normalisation before it.
TEST_CASE("activations are computed by the step before them") {
    const Symbol x = input({8, 8, 4});
    for (const char* name : {"relu6", "silu", "hard_swish", "gelu", "sigmoid"}) {
        Model model({x}, {convolved(striate::apply(activation(name), {convolved(x, 4)}), 2)}, 1);
        const auto fused = plan_of(model, Pass::inference), plain = plan_of(model, Pass::inference, false);
        CHECK(count(*fused, "activation") == 0);
        CHECK(count(*plain, "activation") == 1);
        CHECK(count(*plan_of(model, Pass::training), "activation") == 1);
    }
    for (const std::string name : {"relu6", "silu", "hard_swish"}) {
        Model model({x}, {striate::apply(activation(name.c_str()), {with<BatchNormalization>({x})})}, 1);
        const auto fused = plan_of(model, Pass::training), plain = plan_of(model, Pass::training, false);
        CHECK(count(*fused, "normalise, " + name) == 1);
        CHECK(count(*fused, "activation") == 0);
        CHECK(count(*fused, "activation backward") == 0);
        CHECK(count(*plain, "activation backward") == 1);
    }
}

TEST_CASE("a sum and its ReLU are one step") {
    const Symbol x = input({8, 8, 4});
    const Symbol a = convolved(x, 4);
    Model model({x}, {with<ReLU>({with<Add>({a, convolved(a, 4)})})}, 1);
    for (const Pass pass : {Pass::inference, Pass::training}) {
        const auto fused = plan_of(model, pass), plain = plan_of(model, pass, false);
        CHECK(count(*fused, "activation") == 0);
        CHECK(count(*plain, "activation") == 1);
        CHECK(count(*fused, "add") == (pass == Pass::training ? 1 : 0));
        CHECK(count(*plain, "add") == 1);
    }
    const auto fused = plan_of(model, Pass::training);
    CHECK(count(*fused, "activation backward") == 1);
    CHECK(count(*fused, "copy gradient") == 0);
    CHECK(count(*fused, "sum gradients") == 1);
}

// However the user says that there is a ReLU, and where the convolution is asked for, it is made.
TEST_CASE("a convolution stores only the maxima that pooling keeps") {
    const Symbol x = input({9, 8, 3});
    const Symbol y = convolved(x, 4);
    Model behind({x}, {with<MaxPooling2D>({with<ReLU>({y})})}, 1);
    Model before({x}, {with<ReLU>({with<MaxPooling2D>({y})})}, 1);
    Model plain({x}, {with<MaxPooling2D>({y})}, 1);
    Model twice({x}, {with<Add>({with<MaxPooling2D>({y}), with<MaxPooling2D>({y})})}, 1);
    for (const Pass pass : {Pass::inference, Pass::training}) {
        for (Model* model : {&behind, &before}) {
            const auto fused = plan_of(*model, pass), unfused = plan_of(*model, pass, false);
            CHECK(count(*fused, "convolution, max pool, relu") == 1);
            CHECK(count(*fused, "activation backward") == 0);
            CHECK(count(*unfused, "convolution") == 1);
            CHECK(count(*unfused, "max pool") == 1);
            CHECK(count(*plan_of(*model, pass, true, {1, static_cast<int>(model->graph().nodes.size()) - 1}),
                        "convolution") == 1);
        }
        CHECK(count(*plan_of(plain, pass), "convolution, max pool") == 1);
        CHECK(count(*plan_of(twice, pass), "convolution") == 1);
        CHECK(count(*plan_of(twice, pass), "max pool") == 2);
    }
}

TEST_CASE("inputs of a concatenation are written in place") {
    const Symbol x = input({8, 8, 4});
    const Symbol a = convolved(x, 4), b = convolved(with<MaxPooling2D>({a}), 4);
    const Symbol c = convolved(a, 3);
    Model model({x}, {convolved(with<Concatenate>({a, c, with<ReLU>({a})}), 2), b}, 1);
    for (const Pass pass : {Pass::inference, Pass::training}) {
        const auto fused = plan_of(model, pass), plain = plan_of(model, pass, false);
        CHECK(count(*fused, "concatenate") == 0);
        CHECK(count(*plain, "concatenate") == 3);
        CHECK(count(*fused, "concatenate backward") == 0);
        CHECK(count(*plain, "concatenate backward") == (pass == Pass::training ? 3 : 0));
    }
    // The network's input has memory of its own, and what is there twice is written once and copied.
    Model twice({x}, {with<Concatenate>({x, a, a})}, 1);
    CHECK(count(*plan_of(twice, Pass::inference), "concatenate") == 3);
}

TEST_CASE("the environment switches rewrites off") {
    setenv("STRIATE_FUSION", "0", 1);
    CHECK(!PlanOptions::from_environment().fusion);
    CHECK(PlanOptions::from_environment().winograd);
    for (const char* wrong : {"no", "2", " 0", "00"}) {
        setenv("STRIATE_FUSION", wrong, 1);
        CHECK_THROWS_WITH_AS(PlanOptions::from_environment(), Contains("STRIATE_FUSION must be 0 or 1, got "),
                             ValueError);
    }
    setenv("STRIATE_FUSION", "", 1);
    setenv("STRIATE_WINOGRAD", "0", 1);
    CHECK(PlanOptions::from_environment().fusion);
    CHECK(!PlanOptions::from_environment().winograd);
    unsetenv("STRIATE_FUSION");
    setenv("STRIATE_WINOGRAD", "1", 1);
    CHECK(PlanOptions::from_environment() == PlanOptions());
    unsetenv("STRIATE_WINOGRAD");
}

}  // namespace
