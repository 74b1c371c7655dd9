// Chains of convolutions in bands of rows: the same bits as one step after the other, whatever the height of the bands,
// the number of threads and images.
#include <cstring>
#include <random>

#include "check.hpp"
#include "cpu/cpu.hpp"
#include "graph/model_state.hpp"
#include "running/plan.hpp"
#include "striate/layers.hpp"
#include "striate/model.hpp"
#include "striate/runtime.hpp"

using namespace striate;

namespace {

// The CPU by other rules.
class Ruled final : public Device {
  public:
    Ruled(double band_bytes, double band_maps) : band_bytes_(band_bytes), band_maps_(band_maps) {}
    const char* name() const override { return "ruled"; }
    bool has(kernels::Row row) const override { return cpu().has(row); }
    Rules rules() const override {
        Rules rules = cpu().rules();
        rules.band_bytes = band_bytes_, rules.band_maps = band_maps_;
        return rules;
    }

  private:
    double band_bytes_, band_maps_;
};

class Draw {
  public:
    explicit Draw(uint32_t seed) : random_(seed) {}
    int64_t operator()(int64_t min, int64_t max) { return std::uniform_int_distribution<int64_t>(min, max)(random_); }

  private:
    std::mt19937 random_;
};

template <class Options>
void draw_window(Options& o, Draw& draw, const Shape& shape) {
    o.kernel_size = {draw(1, 4), draw(1, 3)};
    if (draw(0, 2) == 0) o.strides = {draw(1, 3), draw(1, 2)};
    if (o.strides == Pair(1) && draw(0, 3) == 0) o.dilation_rate = {draw(1, 3), 2};
    const bool small = shape[0] < 12 || shape[1] < 12;
    const int64_t padding = draw(0, small ? 1 : 2);
    if (padding == 2)
        o.padding = "valid";
    else if (padding == 1)
        o.padding = "same";
    else
        o.padding =
            std::vector<int64_t>{draw(0, 2) + (small ? 9 : 0), draw(0, 3), draw(0, 2), draw(0, 2) + (small ? 4 : 0)};
    if (draw(0, 1) == 0) o.activation = draw(0, 1) == 0 ? "relu" : "hard_swish";
}

Symbol pointwise(const Symbol& x, int64_t filters) {
    Conv2DOptions o;
    o.filters = filters, o.kernel_size = 1;
    return apply(std::make_shared<Conv2D>(o, ""), {x});
}

Symbol draw_layer(const Symbol& x, Draw& draw) {
    const Shape shape = x->shape;
    switch (draw(0, 8)) {
        case 0: {
            DepthwiseConv2DOptions o;
            draw_window(o, draw, shape);
            o.depth_multiplier = draw(0, 4) == 0 ? 2 : 1;
            return apply(std::make_shared<DepthwiseConv2D>(o, ""), {x});
        }
        case 1: {
            Conv2DOptions o;
            draw_window(o, draw, shape);
            o.filters = draw(1, 40);
            return apply(std::make_shared<Conv2D>(o, ""), {x});
        }
        case 2: {
            const int64_t groups = draw(1, 3), of = 4;
            Conv2DOptions o;
            draw_window(o, draw, shape);
            o.filters = groups * of, o.groups = groups;
            return apply(std::make_shared<Conv2D>(o, ""), {pointwise(x, groups * of)});
        }
        case 3: {  // an inverted residual
            DepthwiseConv2DOptions o;
            o.kernel_size = 2 * draw(0, 3) + 1, o.padding = "same";
            const Symbol wide = apply(std::make_shared<DepthwiseConv2D>(o, ""), {pointwise(x, draw(1, 40))});
            return apply(std::make_shared<Add>(AddOptions{}, ""), {pointwise(wide, shape[2]), x});
        }
        case 4:
            return apply(std::make_shared<BatchNormalization>(BatchNormalizationOptions{}, ""), {x});
        case 5:
            return apply(std::make_shared<LayerNormalization>(LayerNormalizationOptions{}, ""), {x});
        case 6: {  // squeeze and excite, and an activation of its own
            const Symbol mean =
                apply(std::make_shared<GlobalAveragePooling2D>(GlobalAveragePooling2DOptions{true}, ""), {x});
            const Symbol all = apply(std::make_shared<Multiply>(MultiplyOptions{}, ""), {x, pointwise(mean, shape[2])});
            return apply(std::make_shared<ELU>(ELUOptions{}, ""), {all});
        }
        case 7:
            return apply(std::make_shared<Multiply>(MultiplyOptions{}, ""), {x, x});
        default:
            return pointwise(x, draw(1, 40));
    }
}

Model draw_model(Draw& draw) {
    const Symbol x = input({draw(4, 40), draw(4, 30), draw(1, 20)});
    Symbol y = x;
    for (int64_t layers = draw(2, 6); layers > 0; --layers) y = draw_layer(y, draw);
    return Model({x}, {y}, 1);
}

int chains(Model& model, const Device& device, int64_t batch) {
    model.state().device = &device;
    PlanRequest request = model.state().request(batch);
    const auto plan = build_plan(model.graph(), model.state().parameters, request);
    int found = 0;
    for (const ScheduledStep& s : plan->steps()) found += std::strcmp(s.what, "convolutions in bands") == 0;
    return found;
}

Tensor predict(Model& model, const Device& device, const Tensor& x) {
    model.state().device = &device;
    return std::move(model.predict({x}, x.shape()[0])[0]);
}

TEST_CASE("bands of rows give the bits of one step after the other") {
    const Ruled whole(0, 0);
    int found = 0;
    for (uint32_t seed = 0; seed < 150; ++seed) {
        Draw draw(seed);
        Model model = draw_model(draw);
        model.set_plan_options({true, false});
        const Ruled bands(static_cast<double>(int64_t{1} << draw(10, 18)), 0);
        const int64_t batch = draw(1, 5);
        found += chains(model, bands, batch);
        const Shape& shape = model.graph().nodes[0].shape;
        Tensor x({batch, shape[0], shape[1], shape[2]});
        for (int64_t i = 0; i < x.size(); ++i) x.data()[i] = static_cast<float>((i * 7919) % 1013) / 1013.0f - 0.5f;
        set_num_threads(1);
        const Tensor want = predict(model, whole, x);
        for (const int threads : {1, 2, 3}) {
            set_num_threads(threads);
            for (int run = 0; run < 2; ++run) {
                const Tensor got = predict(model, bands, x);
                const bool same = std::memcmp(got.data(), want.data(), size_t(want.size()) * sizeof(float)) == 0;
                CHECK_MESSAGE(same, "seed ", seed, ", ", threads, " threads");
            }
        }
    }
    CHECK(found > 100);
}

// Small maps, heavy weights and windows that do not fit stay as they are, and so do plans with fusion off.
TEST_CASE("the rule that chooses bands of rows") {
    const auto model_of = [](int64_t size, int64_t channels) {
        const Symbol x = input({size, size, 8});
        return Model({x}, {pointwise(pointwise(x, channels), 8)}, 1);
    };
    const Ruled usual(384 << 10, 1 << 20);
    Model large = model_of(64, 96), small = model_of(8, 96), wide = model_of(64, 6000);
    CHECK(chains(large, usual, 1) == 1);
    CHECK(chains(small, usual, 1) == 0);
    CHECK(chains(wide, usual, 1) == 0);
    CHECK(chains(large, Ruled(1000, 0), 1) == 0);
    large.set_plan_options({false, true});
    CHECK(chains(large, usual, 1) == 0);
}

// A map that someone else reads too is stored.
TEST_CASE("a map that another step reads too is stored") {
    const Symbol x = input({64, 64, 8});
    const Symbol middle = pointwise(x, 96);
    Model model({x}, {pointwise(middle, 8), pointwise(middle, 4)}, 1);
    CHECK(chains(model, Ruled(384 << 10, 0), 1) == 0);
    Model shown({x}, {pointwise(middle, 8), middle}, 1);
    CHECK(chains(shown, Ruled(384 << 10, 0), 1) == 0);
}

}  // namespace
