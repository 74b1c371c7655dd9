// Calls of kernels as data: a tensor of a wrong type, one that is too small and a pointer that is not bound are errors
// when the plan is built; bfloat16 rounds as its definition says.
#include <cstring>
#include <functional>
#include <stdexcept>

#include "check.hpp"
#include "naive_layers.hpp"
#include "planning/kernel_call.hpp"
#include "striate/model.hpp"

using namespace striate;
using kernels::K;

namespace {

using Emit = std::function<void(PlanContext& plan, TensorId x, TensorId y)>;

// Adds whatever steps the test wants.
class Custom final : public Layer {
  public:
    explicit Custom(Emit emit) : Layer(""), emit_(std::move(emit)) {}
    std::string type() const override { return "Custom"; }
    Config config() const override { return {}; }
    Shape infer(const std::vector<Shape>& inputs) const override { return inputs.at(0); }
    void emit(PlanContext& plan) const override { emit_(plan, plan.input(), plan.output()); }

  private:
    Emit emit_;
};

Tensor run(Emit emit) {
    const Symbol x = input({4, 5, 3});
    Model model({x}, {apply(std::make_shared<Custom>(std::move(emit)), {x})}, 1);
    Tensor values({2, 4, 5, 3});
    for (int64_t i = 0; i < values.size(); ++i) values.data()[i] = static_cast<float>(i);
    return std::move(model.predict({values})[0]);
}

kernels::CopyArgs copy_of(const PlanContext& plan, TensorId x, TensorId y) {
    return {plan.view(x), plan.view(y), nullptr, nullptr};
}

TEST_CASE("a correct step runs") {
    const Tensor y = run([](PlanContext& plan, TensorId x, TensorId out) {
        const kernels::CopyArgs args = copy_of(plan, x, out);
        plan.step(kernel_step(plan, K::copy, "copy", args, {reads(args.x, x), writes(args.y, out)}));
    });
    for (int64_t i = 0; i < y.size(); ++i) CHECK(y.data()[i] == static_cast<float>(i));
}

TEST_CASE("constants are arguments of a step") {
    const Tensor y = run([](PlanContext& plan, TensorId x, TensorId out) {
        const float scale[3] = {2, 3, 4};
        const TensorId scales = plan.constant(scale, {3}, DType::float32);
        kernels::ChannelAffineArgs args{};
        args.view_x = plan.view(x), args.view_y = plan.view(out);
        plan.step(kernel_step(plan, K::channel_affine, "scale", args,
                              {reads(args.x, x), writes(args.y, out), reads(args.mean, {}), reads(args.scale, scales),
                               reads(args.shift, {})}));
    });
    for (int64_t i = 0; i < y.size(); ++i) CHECK(y.data()[i] == static_cast<float>(i * (2 + i % 3)));
}

TEST_CASE("a wrong type, a small tensor and an unbound pointer are errors when the plan is built") {
    CHECK_THROWS_WITH_AS(
        run([](PlanContext& plan, TensorId x, TensorId y) {
            const TensorId doubles = plan.create(plan.shape(x), {}, DType::float64);
            const kernels::CopyArgs args = copy_of(plan, x, y);
            plan.step(kernel_step(plan, K::copy, "copy", args, {reads(args.x, doubles), writes(args.y, y)}));
        }),
        Contains(
            "copy: the pointer at byte 112 of the arguments of copy expects elements of float32, but the tensor has "
            "float64"),
        std::logic_error);
    CHECK_THROWS_WITH_AS(
        run([](PlanContext& plan, TensorId x, TensorId y) {
            const TensorId small = plan.create({2, 4, 5, 2});
            const kernels::CopyArgs args = copy_of(plan, x, y);
            plan.step(kernel_step(plan, K::copy, "copy", args, {reads(args.x, small), writes(args.y, y)}));
        }),
        Contains("leads to a tensor that is too small: the kernel touches bytes 0 to 480 of it, and it has 0 to 320"),
        std::logic_error);
    CHECK_THROWS_WITH_AS(
        run([](PlanContext& plan, TensorId x, TensorId y) {
            const kernels::CopyArgs args = copy_of(plan, x, y);
            plan.step(kernel_step(plan, K::copy, "copy", args, {reads(args.x, x, 1), writes(args.y, y)}));
        }),
        Contains("touches bytes 4 to 484 of it, and it has 0 to 480"), std::logic_error);
    CHECK_THROWS_WITH_AS(run([](PlanContext& plan, TensorId x, TensorId y) {
                             const kernels::CopyArgs args = copy_of(plan, x, y);
                             plan.step(kernel_step(plan, K::copy, "copy", args, {reads(args.x, x)}));
                         }),
                         Contains("is not bound"), std::logic_error);
    CHECK_THROWS_WITH_AS(
        run([](PlanContext& plan, TensorId x, TensorId y) {
            const kernels::CopyArgs args = copy_of(plan, x, y);
            plan.step(kernel_step(plan, K::copy, "copy", args, {reads(args.x, x), writes(args.y, {})}));
        }),
        Contains("must lead to a tensor"), std::logic_error);
    CHECK_THROWS_WITH_AS(run([](PlanContext& plan, TensorId x, TensorId y) {
                             const kernels::CopyArgs args = copy_of(plan, x, y);
                             plan.step(kernel_step(plan, K::copy, "copy", args,
                                                   {reads(args.x, x), reads(args.x, x), writes(args.y, y)}));
                         }),
                         Contains("is bound twice"), std::logic_error);
    CHECK_THROWS_WITH_AS(
        run([](PlanContext& plan, TensorId x, TensorId y) {
            const kernels::CopyArgs args = copy_of(plan, x, y), other = args;
            plan.step(kernel_step(plan, K::copy, "copy", args, {reads(other.x, x), writes(args.y, y)}));
        }),
        Contains("not in the arguments of the call"), std::logic_error);
}

TEST_CASE("a step lists its kernel, pointers, reads and writes") {
    run([](PlanContext& plan, TensorId x, TensorId y) {
        const kernels::CopyArgs args = copy_of(plan, x, y);
        Step step = kernel_step(plan, K::copy, "copy", args, {reads(args.x, x), writes(args.y, y)});
        CHECK(!step.run);
        REQUIRE(step.call);
        CHECK(step.call->row == kernels::Row::copy);
        REQUIRE(step.call->pointers.size() == 2);
        CHECK(step.call->pointers[1].tensor == y);
        CHECK(std::string(kernels::name_of(step.call->row)) == "copy");
        REQUIRE(step.reads.size() == 1);
        CHECK(step.reads[0] == x);
        REQUIRE(step.writes.size() == 1);
        CHECK(step.writes[0] == y);
        CHECK(step.bytes == 2.0 * 2 * 4 * 5 * 3 * 4);
        // A tensor counts by its own type.
        const TensorId bytes = plan.create({100}, {}, DType::uint8), doubles = plan.create({10}, {}, DType::float64);
        CHECK(traffic(plan, {bytes}, {doubles}) == 180.0);
        plan.step(std::move(step));
    });
}

TEST_CASE("bfloat16 is rounded to nearest even") {
    const auto bits_of = [](float value) {
        uint32_t bits = 0;
        std::memcpy(&bits, &value, sizeof bits);
        return bits;
    };
    const auto of_bits = [](uint32_t bits) {
        float value = 0;
        std::memcpy(&value, &bits, sizeof value);
        return value;
    };
    CHECK(bfloat16_of(1.0f) == 0x3f80);
    CHECK(bfloat16_to_float(0x3f80) == 1.0f);
    CHECK(bfloat16_of(of_bits(0x3f808000)) == 0x3f80);  // half-way: to even
    CHECK(bfloat16_of(of_bits(0x3f818000)) == 0x3f82);
    CHECK(bfloat16_of(of_bits(0x3f808001)) == 0x3f81);
    CHECK(bfloat16_of(of_bits(0x7f7fffff)) == 0x7f80);  // the largest float: infinity
    CHECK(bfloat16_of(of_bits(0x7f800001)) == 0x7fc0);
    CHECK(bfloat16_of(of_bits(0xffc00000)) == 0xffc0);
    check::Random random(3);
    for (int i = 0; i < 1000; ++i) {
        const auto value = static_cast<float>(random.uniform(-1e3, 1e3));
        const float stored = bfloat16_to_float(bfloat16_of(value));
        CHECK(std::fabs(stored - value) <= std::fabs(value) / 256);
        CHECK((bits_of(stored) & 0xffff) == 0);
        CHECK(bfloat16_of(stored) == bits_of(stored) >> 16);
    }
    CHECK(byte_size(DType::bfloat16) == 2);
    CHECK(byte_size(DType::float64) == 8);
    CHECK(std::string(name_of(DType::bfloat16)) == "bfloat16");
    CHECK(std::string(name_of(DType::float64)) == "float64");
}

// Inputs of any stored type are converted as the batch is gathered.
TEST_CASE("inputs of all stored types are converted") {
    const Symbol x = input({3});
    Model model({x}, {apply(naive::make<naive::Bend>(), {x})}, 1);
    Tensor floats({2, 3});
    double wide[6];
    uint16_t narrow[6];
    for (int i = 0; i < 6; ++i) {
        floats.data()[i] = static_cast<float>(i) * 0.5f - 1.0f;
        wide[i] = static_cast<double>(floats.data()[i]);
        narrow[i] = bfloat16_of(floats.data()[i]);
    }
    const Tensor want = std::move(model.predict({floats})[0]);
    for (const Array& given : {Array{wide, DType::float64, {2, 3}}, Array{narrow, DType::bfloat16, {2, 3}}}) {
        const Tensor got = std::move(model.predict({given})[0]);
        CHECK(std::memcmp(got.data(), want.data(), 6 * sizeof(float)) == 0);
    }
}

}  // namespace
