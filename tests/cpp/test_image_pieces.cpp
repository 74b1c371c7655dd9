// How many images are predicted at a time: a rule on traffic, and predictions that do not depend on it.
#include "check.hpp"
#include "graph/model_state.hpp"
#include "naive_layers.hpp"
#include "planning/image_pieces.hpp"
#include "striate/layers.hpp"
#include "striate/model.hpp"

using namespace striate;

namespace {

constexpr double kMega = 1e6;

Traffic maps_of(double bytes, double weights, double multiply_adds = 0) {
    Traffic traffic;
    traffic.divisible = true;
    Traffic::Layer layer;
    layer.map_bytes = bytes, layer.weight_bytes = weights / 20, layer.multiply_adds = multiply_adds / 20;
    traffic.layers.assign(20, layer);
    return traffic;
}

int64_t images_at_once(const Traffic& traffic, int64_t batch, double near_bytes) {
    const Pieces pieces = pieces_of(traffic, batch, near_bytes);
    CHECK(pieces.cut == -1);
    return pieces.images;
}

TEST_CASE("the number of images in a piece follows from traffic") {
    // Small maps stay near however many there are.
    CHECK(images_at_once(maps_of(0.01 * kMega, 0), 32, 3 * kMega) == 32);
    // Large maps: as many as stay near.
    CHECK(images_at_once(maps_of(0.7 * kMega, 0), 32, 3 * kMega) == 4);
    CHECK(images_at_once(maps_of(2.9 * kMega, 0), 32, 3 * kMega) == 1);
    // Heavy weights are read again for each piece.
    CHECK(images_at_once(maps_of(0.7 * kMega, 1000 * kMega), 32, 3 * kMega) == 32);
    // Where arithmetic takes most of the time, pieces do not pay.
    CHECK(images_at_once(maps_of(0.7 * kMega, 0, 5000 * kMega), 32, 3 * kMega) == 32);
    // Of a device that does not ask for it, and of layers that see the whole batch.
    CHECK(images_at_once(maps_of(0.7 * kMega, 0), 32, 0) == 32);
    Traffic whole = maps_of(0.7 * kMega, 0);
    whole.divisible = false;
    CHECK(images_at_once(whole, 32, 3 * kMega) == 32);
    for (int64_t batch = 1; batch < 40; ++batch) {
        const int64_t images = images_at_once(maps_of(0.7 * kMega, kMega), batch, 3 * kMega);
        CHECK(images >= 1);
        CHECK(images <= batch);
    }
    // Heavy weights behind large maps have the whole batch, where one value leads to them.
    Traffic classifier = maps_of(0.7 * kMega, 0);
    Traffic::Layer dense;
    dense.map_bytes = 0.01 * kMega, dense.weight_bytes = 200 * kMega;
    classifier.layers.push_back(dense);
    CHECK(pieces_of(classifier, 32, 3 * kMega).images == 32);
    classifier.layers[19].cut = 7;
    const Pieces cut = pieces_of(classifier, 32, 3 * kMega);
    CHECK(cut.images == 4);
    CHECK(cut.cut == 7);
}

// The outputs tell how many rows the layer saw.
class CountRows final : public Layer {
  public:
    CountRows() : Layer("") {}
    std::string type() const override { return "CountRows"; }
    Config config() const override { return {}; }
    Shape infer(const std::vector<Shape>& inputs) const override { return inputs.at(0); }
    void emit(PlanContext& plan) const override {
        const TensorId x = plan.input(), y = plan.output();
        const int64_t size = element_count(plan.shape(x)), rows = plan.batch();
        Step step;
        step.what = "rows";
        step.reads = {x};
        step.writes = {y};
        step.run = [=](const Frame& f, int64_t, int64_t, std::byte*) {
            for (int64_t i = 0; i < size; ++i) f.get(y)[i] = static_cast<float>(rows);
        };
        plan.step(std::move(step));
    }
};

Model wide(bool counts) {
    const Symbol x = input({64, 64, 8});
    Symbol y = x;
    for (int i = 0; i < 8; ++i) y = apply(std::make_shared<ReLU>(ReLUOptions{}, ""), {y});
    DepthwiseConv2DOptions depthwise;
    depthwise.kernel_size = 3;
    depthwise.padding = "same";
    y = apply(std::make_shared<DepthwiseConv2D>(depthwise, ""), {y});
    Conv2DOptions pointwise;
    pointwise.filters = 24;
    pointwise.kernel_size = 1;
    y = apply(std::make_shared<Conv2D>(pointwise, ""), {y});
    if (counts) y = apply(std::make_shared<CountRows>(), {y});
    return Model({x}, {y}, 3);
}

TEST_CASE("predictions do not depend on pieces") {
    Model model = wide(false);
    Tensor x({21, 64, 64, 8});
    for (int64_t i = 0; i < x.size(); ++i) x.data()[i] = static_cast<float>((i * 7919) % 1013) / 1013.0f - 0.5f;
    const Tensor whole = std::move(model.predict({x}, 21)[0]);
    for (const int64_t batch : {1, 2, 5, 8, 20, 100}) {
        const Tensor other = std::move(model.predict({x}, batch)[0]);
        for (int64_t i = 0; i < whole.size(); ++i)
            CHECK_CLOSE(other.data()[i], whole.data()[i], 1e-5, "batch " + std::to_string(batch));
    }
}

// Large maps, then a dense layer of many weights: what is in front of it is predicted in pieces.
TEST_CASE("the part before a large dense layer is predicted in pieces") {
    const Symbol x = input({64, 64, 8});
    Symbol y = x;
    DepthwiseConv2DOptions depthwise;
    depthwise.kernel_size = 3;
    depthwise.padding = "same";
    for (int i = 0; i < 8; ++i) y = apply(std::make_shared<DepthwiseConv2D>(depthwise, ""), {y});
    const Symbol pooled = apply(std::make_shared<GlobalAveragePooling2D>(GlobalAveragePooling2DOptions{}, ""), {y});
    DenseOptions wide, narrow;
    wide.units = 300'000, narrow.units = 5;
    const Symbol middle = apply(std::make_shared<Dense>(wide, ""), {pooled});
    Model model({x}, {apply(std::make_shared<Dense>(narrow, ""), {middle})}, 3);
    model.set_plan_options({false, false});  // else bands of rows keep the maps near
    PlanRequest request = model.state().request(16);
    const Pieces pieces = model.state().pieces_of(request);
    CHECK(pieces.images < 16);
    CHECK(pieces.cut >= 0);
    const Graph::Node& node = model.graph().nodes[static_cast<size_t>(pieces.cut)];
    CHECK(element_count(node.shape) == 8);
    Tensor images({37, 64, 64, 8});
    for (int64_t i = 0; i < images.size(); ++i) images.data()[i] = static_cast<float>((i * 7919) % 1013) / 1013.0f;
    const Tensor one = std::move(model.predict({images}, 1)[0]);
    for (const int64_t batch : {16, 20, 37, 100}) {
        const Tensor several = std::move(model.predict({images}, batch)[0]);
        for (int64_t i = 0; i < one.size(); ++i)
            CHECK_CLOSE(several.data()[i], one.data()[i], 1e-5, "batch " + std::to_string(batch));
    }
}

TEST_CASE("layers that depend on the batch are not predicted in pieces") {
    Model model = wide(true);
    const Tensor rows = std::move(model.predict({Tensor({13, 64, 64, 8})}, 8)[0]);
    CHECK(rows.data()[0] == 8.0f);
    CHECK(rows.data()[rows.size() - 1] == 5.0f);
}

}  // namespace
