// The layer, the loss and the kernel of CONTRIBUTING.md: their code compiles and does what they are defined to do.
// Headers and sources that are not in this repository are the blocks of that text.
#include "kernels/args_shrink.hpp"
#include "kernels/layout.hpp"

namespace striate::kernels {
#include "kernels/part_of_units.hpp"
}

#include "bench.hpp"
#include "kernel_check.hpp"
#include "kernels/reach.hpp"
#include "striate/layers/scale.hpp"
#include "striate/losses/squared_hinge.hpp"
#include "striate/striate.hpp"
#include "weights.hpp"

namespace striate::kernels {
#include "kernels/part_of_reach.hpp"

#define STRIATE_BUILT(isa, runs)                                         \
    namespace isa {                                                      \
    void soft_shrink(const SoftShrinkArgs&, int64_t begin, int64_t end); \
    }
#define STRIATE_OVERLAY(isa, base, runs)
#include "isas.inc"
#undef STRIATE_BUILT
#undef STRIATE_OVERLAY
}  // namespace striate::kernels

#include "layers/scale.cpp"
#include "losses/squared_hinge.cpp"

namespace bench {
using namespace striate::kernels;
#include "benchmarks/cpp/elementwise.cpp"
}  // namespace bench

namespace kernel_test {

using namespace striate::kernels;
using check::Map;
using check::map_of;
using check::Random;
using check::run_twice;
using check::Size;

// As kernels/table.hpp makes one of kernels.inc.
struct Table {
    const char* isa;
#define STRIATE_KERNEL(name, Args) void (*name)(const Args&, int64_t begin, int64_t end);
#include "kernels/part_of_kernels.inc"
#undef STRIATE_KERNEL
};

#include "tests/cpp/test_kernels_elementwise.cpp"

std::vector<Table> tables() {
    const Table all[] = {
#define STRIATE_BUILT(isa, runs) {#isa, isa::soft_shrink},
#define STRIATE_OVERLAY(isa, base, runs)
#include "isas.inc"
#undef STRIATE_BUILT
#undef STRIATE_OVERLAY
    };
    std::vector<Table> found;
    const std::vector<std::string> names = striate::dispatch::available_isas();
    for (const Table& table : all)
        if (std::find(names.begin(), names.end(), table.isa) != names.end()) found.push_back(table);
    return found;
}

// How far each pointer may reach.
struct Reaches {
    std::vector<std::pair<const void*, Reach>> all;
    template <class T>
    void operator()(T* pointer, const Reach& reach) {
        all.emplace_back(pointer, reach);
    }
};

}  // namespace kernel_test

using namespace striate;
using namespace striate::test;

namespace {

TEST_CASE("the layer of CONTRIBUTING.md") {
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
    const std::vector<float> factors = value_of(model, 0), slopes = gradient_of(model, 0);
    CHECK(slopes.size() == 5);
    CHECK(scale.name == "scale/scale");
    CHECK(scale.shape == Shape{5});
    std::vector<double> sums(5, 0.0);
    for (int64_t i = 0; i < values.size(); ++i) {
        CHECK_CLOSE(y.data()[i], values.data()[i] * factors[i % 5], 1e-6, std::to_string(i));
        CHECK_CLOSE(dx.data()[i], gradient.data()[i] * factors[i % 5], 1e-6, std::to_string(i));
        sums[static_cast<size_t>(i % 5)] += static_cast<double>(values.data()[i]) * gradient.data()[i];
    }
    for (size_t c = 0; c < 5; ++c) CHECK_CLOSE(slopes[c], sums[c], 1e-4, "channel " + std::to_string(c));
}

// A dense layer of the unit matrix: its kernel is the output, and what a step of SGD with rate 1 takes from it is the
// gradient of the output.
TEST_CASE("the loss of CONTRIBUTING.md") {
    constexpr int64_t kRows = 7, kColumns = 5;
    const Symbol x = input({kRows});
    DenseOptions options;
    options.units = kColumns;
    options.use_bias = false;
    options.kernel_initializer = "random_normal(0, 1.5)";
    Model model({x}, {apply(std::make_shared<const Dense>(options, "dense"), {x})}, 3);
    check::Random random(2);
    std::vector<float> unit(kRows * kRows, 0.0f), targets(kRows * kColumns), weights(kRows);
    for (int64_t i = 0; i < kRows; ++i) unit[static_cast<size_t>(i * (kRows + 1))] = 1.0f;
    for (float& target : targets) target = random.integer(0, 1) ? 1.0f : -1.0f;
    for (float& weight : weights) weight = static_cast<float>(random.uniform(0.5, 2));

    const std::vector<float> before = value_of(model, 0);
    double want = 0;
    std::vector<double> gradient;
    int beyond = 0;
    for (int64_t i = 0; i < kRows * kColumns; ++i) {
        const double t = targets[static_cast<size_t>(i)],
                     share = weights[static_cast<size_t>(i / kColumns)] / double(kRows * kColumns);
        const double missing = std::max(0.0, 1 - t * before[static_cast<size_t>(i)]);
        want += share * missing * missing;
        gradient.push_back(-2 * share * missing * t);
        beyond += missing == 0;
    }
    CHECK(beyond > 3);
    CHECK(beyond < kRows * kColumns - 3);  // both sides of the hinge

    SGDOptions rate;
    rate.learning_rate = 1.0;
    Trainer trainer(model, std::make_shared<SGD>(rate), {std::make_shared<SquaredHinge>()}, {}, 0);
    trainer.bind({{{unit.data(), DType::float32, {kRows, kRows}}},
                  {{targets.data(), DType::float32, {kRows, kColumns}}},
                  {{weights.data(), DType::float32, {kRows}}}});
    CHECK_CLOSE(trainer.test_step(nullptr, 0, kRows), want, 1e-6, "value");
    CHECK_CLOSE(trainer.train_step(nullptr, 0, kRows), want, 1e-6, "value in training");
    const std::vector<float> after = value_of(model, 0);
    for (size_t i = 0; i < gradient.size(); ++i)
        CHECK_CLOSE(double(before[i]) - after[i], gradient[i], 5e-7, "gradient " + std::to_string(i));
}

TEST_CASE("the kernel of CONTRIBUTING.md") {
    check::Random random(3);
    const std::vector<kernel_test::Table> tables = kernel_test::tables();
    CHECK(tables.size() == dispatch::available_isas().size());
    for (const kernel_test::Table& table : tables)
        for (const check::Size& size : check::sizes()) kernel_test::test_soft_shrink(table, size, random);

    check::Map x(2, 3, 4, 5, 1, 2), y(2, 3, 4, 5);
    const kernels::SoftShrinkArgs args{x.view, y.view, x.data(), y.data(), 0.5f};
    kernel_test::Reaches reaches;
    kernels::reach(args, reaches);
    REQUIRE(reaches.all.size() == 2);
    CHECK(reaches.all[0].first == args.x);
    CHECK(reaches.all[1].first == args.y);
    CHECK(reaches.all[0].second.end == &x.at(1, 2, 3, 4) - x.data() + 1);
    CHECK(reaches.all[1].second.end == y.size());
}

TEST_CASE("the benchmark of CONTRIBUTING.md") {
    for (const bench::Case& each : bench::cases_soft_shrink(kernel_test::tables().back().soft_shrink)) {
        bench::Memory memory;
        for (const bench::Call& call : each.setup(memory)) call.run(0, call.units, nullptr);
        CHECK(!each.shape.empty());
        CHECK(each.bytes > 0);
    }
}

}  // namespace
