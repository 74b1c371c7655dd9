// Models that have layers in common have their weights in common: the same bits as models that copy them to one another
// after every step.
#include <thread>

#include "check.hpp"
#include "device_check.hpp"

using namespace striate;
using namespace striate::test;

namespace {

LayerPtr dense(int64_t units, const char* name, const char* activation = "linear") {
    DenseOptions options;
    options.units = units, options.activation = activation;
    return std::make_shared<const Dense>(options, name);
}

LayerPtr normalization(const char* name) {
    return std::make_shared<const BatchNormalization>(BatchNormalizationOptions(), name);
}

// A trunk with two heads: two models, and what they have in common.
struct TwoHeads {
    explicit TwoHeads(bool shared)
        : first(branch("first", 3, {})), second(branch("second", 2, shared ? trunk : none)) {}
    Model branch(const char* head, int64_t units, const std::vector<LayerPtr>& given) {
        std::vector<LayerPtr> layers = given;
        if (layers.empty()) layers = {dense(6, "trunk", "tanh"), normalization("norm")};
        if (trunk.empty()) trunk = layers;
        Symbol y = input({5}, "input");
        const Symbol x = y;
        for (const LayerPtr& layer : layers) y = apply(layer, {y});
        return Model({x}, {apply(dense(units, head), {y})}, 3);
    }
    std::vector<LayerPtr> trunk, none;
    Model first, second;
};

void copy_trunk(const Model& from, Model& to) {
    for (size_t i = 0; i < from.parameters().size(); ++i)
        for (size_t j = 0; j < to.parameters().size(); ++j)
            if (from.parameters()[i].name == to.parameters()[j].name) to.write_parameter(j, value_of(from, i).data());
}

// Trains both heads in turn; between the steps, `link` is called with the model that was trained and the other.
template <class Link>
std::vector<float> trained(TwoHeads& heads, const char* optimizer, const Config& config, Link link) {
    const std::vector<Tensor> x = random_tensors({{5}}, 8, 1), a = random_tensors({{3}}, 8, 2),
                              b = random_tensors({{2}}, 8, 3);
    Trainer one(heads.first, make_optimizer(optimizer, config), {std::make_shared<MeanSquaredError>()}, {}, 4);
    Trainer two(heads.second, make_optimizer(optimizer, config), {std::make_shared<MeanSquaredError>()}, {}, 4);
    one.bind({arrays_of(x), arrays_of(a), {}});
    two.bind({arrays_of(x), arrays_of(b), {}});
    std::vector<float> all;
    for (int step = 0; step < 5; ++step) {
        one.train_step(nullptr, 0, 8);
        link(heads.first, heads.second);
        two.train_step(nullptr, 0, 8);
        link(heads.second, heads.first);
        const std::vector<Tensor> y = heads.first.predict(arrays_of(x));
        all.insert(all.end(), y[0].data(), y[0].data() + y[0].size());
    }
    for (const Model* model : {&heads.first, &heads.second})
        for (const float value : values_of(*model)) all.push_back(value);
    return all;
}

TEST_CASE("two models with a common trunk train as two that copy it") {
    for (const std::string& type : optimizer_types())
        for (const char* clip : {"", "clipnorm", "global_clipnorm"}) {
            Config config;
            if (*clip) config.set(clip, 0.05);
            TwoHeads shared(true), apart(false);
            copy_trunk(shared.first, apart.second);
            const auto nothing = [](const Model&, Model&) {};
            CHECK(trained(shared, type.c_str(), config, nothing) == trained(apart, type.c_str(), config, copy_trunk));
        }
}

TEST_CASE("an encoder has the weights that its autoencoder learns") {
    const Symbol x = input({5}, "input"), code = apply(dense(3, "code", "relu"), {x});
    Model whole({x}, {apply(dense(5, "out"), {code})}, 1), encoder({x}, {code}, 2);
    CHECK(value_of(whole, 0) == value_of(encoder, 0));
    const std::vector<Tensor> batch = random_tensors({{5}}, 8, 1);
    encoder.predict(arrays_of(batch));  // what it prepared from the weights is made anew
    Trainer trainer(whole, make_optimizer("Adam", {}), {std::make_shared<MeanSquaredError>()}, {}, 4);
    trainer.bind({arrays_of(batch), arrays_of(batch), {}});
    for (int step = 0; step < 5; ++step) {
        trainer.train_step(nullptr, 0, 8);
        const Tensor got = std::move(encoder.predict(arrays_of(batch))[0]),
                     want = std::move(whole.predict_nodes(arrays_of(batch), {1})[0]);
        CHECK(std::equal(got.data(), got.data() + got.size(), want.data()));
    }
    // A model may be gone; the weights stay with the layers.
    const std::vector<float> weights = value_of(whole, 0);
    { Model taken(std::move(whole)); }
    CHECK(value_of(encoder, 0) == weights);
    Model again({x}, {code}, 9);
    CHECK(value_of(again, 0) == weights);
}

// Frozen layers stay as they were when the trainer was made, so that a GAN's two trainers need no switching.
TEST_CASE("layers stay frozen as they were when the trainer was made") {
    const LayerPtr judge = dense(1, "judge"), norm = normalization("norm");
    const Symbol real = input({4}, "real"), noise = input({3}, "noise");
    const auto judged = [&](const Symbol& s) { return apply(judge, {apply(norm, {s})}); };
    Model discriminator({real}, {judged(real)}, 1);
    const auto squares = std::make_shared<MeanSquaredError>();
    Trainer first(discriminator, make_optimizer("SGD", {}), {squares}, {}, 4);
    discriminator.set_trainable("judge", false);
    CHECK(!judge->trainable());
    CHECK(first.trainable_changed());
    discriminator.set_trainable("norm", false);
    Model both({noise}, {judged(apply(dense(4, "generator"), {noise}))}, 2);
    CHECK(!both.trainable("judge"));
    CHECK(both.trainable("generator"));
    Trainer second(both, make_optimizer("SGD", {}), {squares}, {}, 5);
    CHECK(!second.trainable_changed());
    const std::vector<Tensor> x = random_tensors({{4}}, 8, 1), z = random_tensors({{3}}, 8, 2),
                              y = random_tensors({{1}}, 8, 3);
    first.bind({arrays_of(x), arrays_of(y), {}});
    second.bind({arrays_of(z), arrays_of(y), {}});
    const auto named = [](const Model& model, const std::string& name) {
        for (size_t i = 0; i < model.parameters().size(); ++i)
            if (model.parameters()[i].name == name) return value_of(model, i);
        return std::vector<float>();
    };
    const std::vector<float> kernel = named(both, "judge/kernel"), mean = named(both, "norm/moving_mean"),
                             made = named(both, "generator/kernel");
    second.train_step(nullptr, 0, 8);
    CHECK(named(both, "judge/kernel") == kernel);
    CHECK(named(both, "norm/moving_mean") == mean);
    CHECK(named(both, "generator/kernel") != made);
    first.train_step(nullptr, 0, 8);
    CHECK(named(both, "judge/kernel") != kernel);
    CHECK(named(both, "norm/moving_mean") != mean);
    CHECK(named(discriminator, "judge/kernel") == named(both, "judge/kernel"));
    discriminator.set_trainable("judge", true), discriminator.set_trainable("norm", true);
    CHECK(!first.trainable_changed());
    CHECK(second.trainable_changed());
}

TEST_CASE("a layer with weights of another shape is refused") {
    const LayerPtr layer = dense(3, "dense");
    const Symbol five = input({5}, "five"), six = input({6}, "six");
    const Model model({five}, {apply(layer, {five})}, 1);
    CHECK_THROWS_WITH_AS(
        Model({six}, {apply(layer, {six})}, 1),
        Contains(
            "[dense] has a kernel of shape (5, 3) from the model that it was first used in, and its input here needs "
            "(6, 3)"),
        ValueError);
    // A model that could not be built leaves no weights behind.
    DenseOptions wrong;
    wrong.units = 2, wrong.kernel_initializer = "nothing";
    const LayerPtr fresh = dense(4, "fresh");
    CHECK_THROWS_AS(Model({six}, {apply(std::make_shared<const Dense>(wrong, "wrong"), {apply(fresh, {six})})}, 1),
                    ValueError);
    const Model after({five}, {apply(fresh, {five})}, 1);  // of another size
    CHECK(after.parameters()[0].shape == (Shape{5, 4}));
}

// While one model trains, another that has its layers predicts: each batch with the weights of a whole step.
TEST_CASE("one model predicts with whole steps while another trains") {
    TwoHeads heads(true);
    const std::vector<Tensor> x = random_tensors({{5}}, 8, 1), y = random_tensors({{3}}, 8, 2);
    Trainer trainer(heads.first, make_optimizer("SGD", {}), {std::make_shared<MeanSquaredError>()}, {}, 4);
    trainer.bind({arrays_of(x), arrays_of(y), {}});
    std::vector<std::vector<float>> whole;
    const auto predicted = [&] {
        const Tensor out = std::move(heads.second.predict(arrays_of(x))[0]);
        return std::vector<float>(out.data(), out.data() + out.size());
    };
    whole.push_back(predicted());
    std::atomic<bool> end{false};
    std::vector<std::vector<float>> seen;
    std::thread reader([&] {
        while (!end) seen.push_back(predicted());
    });
    for (int step = 0; step < 50; ++step) {
        trainer.train_step(nullptr, 0, 8);
        whole.push_back(predicted());
    }
    end = true;
    reader.join();
    for (const std::vector<float>& values : seen) CHECK(std::find(whole.begin(), whole.end(), values) != whole.end());
}

TEST_CASE("shared weights on a device") {
    const TrivialDevice device([](kernels::Row row) { return static_cast<int>(row) % 3 != 0; });
    {
        TwoHeads here(true), there(true);
        there.first.state().move_to(device);  // the other stays on the CPU
        const auto nothing = [](const Model&, Model&) {};
        CHECK(trained(here, "Adam", {}, nothing) == trained(there, "Adam", {}, nothing));
    }
    CHECK(device.blocks() == 0);
}

}  // namespace
