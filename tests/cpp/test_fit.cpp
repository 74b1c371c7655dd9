// The loop over epochs, the state of training as a file, and IDX files.
#include "striate/fit.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <limits>
#include <numeric>

#include "check.hpp"
#include "striate/striate.hpp"
#include "weights.hpp"

using namespace striate;
using namespace striate::test;

namespace {

// Two classes of 6x6 pictures: the left or the right half is brighter.
struct Pictures {
    std::vector<float> pixels;
    std::vector<int64_t> labels;

    explicit Pictures(int64_t count, uint64_t seed) : pixels(static_cast<size_t>(count * 36)) {
        fill_normal(pixels.data(), count * 36, 0, 1, seed, 0);
        for (int64_t i = 0; i < count; ++i) {
            labels.push_back(i % 2);
            for (int64_t p = 0; p < 36; ++p) pixels[i * 36 + p] += (p % 6 < 3) == (i % 2 == 0) ? 1.5f : 0.0f;
        }
    }
    Dataset data() const {
        const auto count = static_cast<int64_t>(labels.size());
        return {{{pixels.data(), DType::float32, {count, 6, 6, 1}}}, {{labels.data(), DType::int64, {count}}}, {}};
    }
};

Model small(uint64_t seed) {
    InputLayerOptions shape;
    shape.shape = {6, 6, 1};
    Conv2DOptions conv;
    conv.filters = 4, conv.kernel_size = 3, conv.activation = "relu";
    DropoutOptions dropout;
    dropout.rate = 0.2;
    DenseOptions dense;
    dense.units = 2, dense.activation = "softmax";
    return Model::sequential(
        {std::make_shared<InputLayer>(shape, "image"), std::make_shared<Conv2D>(conv, "conv"),
         std::make_shared<Dropout>(dropout, "dropout"), std::make_shared<Flatten>(FlattenOptions(), "flatten"),
         std::make_shared<Dense>(dense, "dense")},
        seed);
}

OptimizerPtr adam() {
    return std::make_shared<Adam>(AdamOptions());
}
std::vector<LossPtr> cross_entropy() {
    return {std::make_shared<SparseCategoricalCrossentropy>()};
}

TEST_CASE("a network learns, and validation does not change it") {
    const Pictures training(70, 1), validation(31, 2);
    const Dataset held_out = validation.data();
    Model model = small(0);
    Trainer trainer(model, adam(), cross_entropy(), {}, 0);
    FitOptions options;
    options.epochs = 40;
    options.batch_size = 16;
    options.validation = &held_out;
    const std::vector<EpochLog> history = fit(trainer, training.data(), options);
    REQUIRE(history.size() == 40);
    CHECK(history.back().epoch == 39);
    CHECK(trainer.iteration() == 40 * 5);
    CHECK(history.back().training.loss < 0.5 * history.front().training.loss);
    CHECK(history.back().validation->accuracy > 0.8);
    // The same by hand, over rows in their order.
    const Scores scores = evaluate(trainer, held_out, 7);
    const std::vector<Tensor> outputs = model.predict({held_out.inputs[0]});
    double loss = 0;
    int64_t hits = 0;
    for (int64_t i = 0; i < 31; ++i) {
        const float* p = outputs[0].data() + 2 * i;
        loss -= std::log(static_cast<double>(p[validation.labels[i]])) / 31;
        hits += (p[1] > p[0]) == (validation.labels[i] == 1);
    }
    CHECK_CLOSE(scores.loss, loss, 1e-5, "by hand");
    CHECK(scores.accuracy == static_cast<double>(hits) / 31);
    CHECK(scores.accuracy == history.back().validation->accuracy);
    options.after_epoch = [](const EpochLog& log) { return log.epoch < 41; };
    CHECK(fit(trainer, training.data(), options).size() == 2);
    options.epochs = 0;
    CHECK_THROWS_WITH_AS(fit(trainer, training.data(), options), Contains("epochs"), ValueError);
    CHECK_THROWS_WITH_AS(evaluate(trainer, held_out, 0), Contains("batch_size"), ValueError);
}

TEST_CASE("accuracy of outputs that are not classes") {
    const Pictures pictures(9, 3);
    const std::vector<float> wanted(18, 0.5f);
    Model model = small(0);
    Trainer trainer(model, adam(), {std::make_shared<MeanSquaredError>()}, {}, 0);
    const Dataset data{pictures.data().inputs, {{wanted.data(), DType::float32, {9, 2}}}, {}};
    CHECK(std::isnan(evaluate(trainer, data).accuracy));
    // One-hot labels.
    std::vector<float> one_hot(18);
    for (int64_t i = 0; i < 9; ++i) one_hot[2 * i + pictures.labels[i]] = 1;
    std::vector<float> smoothed;
    for (const float target : one_hot) smoothed.push_back(0.9f * target + 0.05f);
    Trainer other(model, adam(), {std::make_shared<CategoricalCrossentropy>(CategoricalCrossentropyOptions())}, {}, 0);
    const Dataset hot{pictures.data().inputs, {{one_hot.data(), DType::float32, {9, 2}}}, {}};
    Trainer sparse(model, adam(), cross_entropy(), {}, 0);
    CHECK(evaluate(other, hot).accuracy == evaluate(sparse, pictures.data()).accuracy);
    const Dataset soft{pictures.data().inputs, {{smoothed.data(), DType::float32, {9, 2}}}, {}};
    // Labels that do not count.
    SparseCategoricalCrossentropyOptions options;
    options.ignore_class = 1;
    Trainer without(model, adam(), {std::make_shared<SparseCategoricalCrossentropy>(options)}, {}, 0);
    const Tensor predicted = std::move(model.predict({pictures.data().inputs[0]})[0]);
    double hits = 0;
    for (int64_t i = 0; i < 9; i += 2) hits += predicted.data()[2 * i] >= predicted.data()[2 * i + 1];
    CHECK(evaluate(without, pictures.data()).accuracy == hits / 5);
    CHECK(evaluate(other, soft).accuracy == evaluate(other, hot).accuracy);
}

// Losses over marked pixels, and over the whole set, do not depend on how it is cut into batches.
TEST_CASE("losses do not depend on the size of batches") {
    const Pictures pictures(12, 5);
    std::vector<int64_t> labels = pictures.labels;
    for (int64_t i = 0; i < 5; ++i) labels[i] = 7;
    const Dataset data{pictures.data().inputs, {{labels.data(), DType::int64, {12}}}, {}};
    SparseCategoricalCrossentropyOptions ignoring;
    ignoring.ignore_class = 7;
    DiceOptions dice;
    dice.ignore_class = 7;
    const LossPtr entropy = std::make_shared<SparseCategoricalCrossentropy>(ignoring);
    const LossPtr sum = WeightedSum::of({entropy, std::make_shared<Dice>(dice)}, {0.5, 2.0});
    for (const LossPtr& loss : {entropy, sum}) {
        Model model = small(3);
        Trainer trainer(model, adam(), {loss}, {}, 0);
        const double whole = evaluate(trainer, data, 12).loss;
        for (const int64_t batch : {1, 2, 5, 7})
            CHECK_CLOSE(evaluate(trainer, data, batch).loss, whole, 1e-6, concat("batches of ", batch));
    }
}

// One output without a loss, weights for each, and a loss that does not count in the sum.
TEST_CASE("several outputs: one without a loss, and weights of losses") {
    const Pictures pictures(10, 6);
    DenseOptions dense;
    dense.units = 2, dense.activation = "softmax";
    const Symbol image = input({6, 6, 1}, "image");
    const Symbol flat = apply(std::make_shared<Flatten>(FlattenOptions(), "flatten"), {image});
    Model model(
        {image},
        {apply(std::make_shared<Dense>(dense, "one"), {flat}), apply(std::make_shared<Dense>(dense, "two"), {flat})},
        1);
    const LossPtr entropy = cross_entropy()[0];
    const Array labels = pictures.data().targets[0];
    std::vector<float> none(10, 0.0f);
    const Array zeros{none.data(), DType::float32, {10}};
    const auto bind = [&](Trainer& trainer, const std::vector<Array>& targets, const std::vector<Array>& weights) {
        trainer.bind({pictures.data().inputs, targets, weights});
    };

    Trainer half(model, adam(), {entropy, nullptr}, {}, 0);
    bind(half, {labels, {}}, {});
    half.begin_epoch();
    const double loss = half.train_step(nullptr, 0, 10);
    CHECK(loss > 0);
    CHECK(half.losses()[0] == loss);
    CHECK(half.losses()[1] == 0);
    CHECK(half.epoch_loss() == loss);
    CHECK_THROWS_WITH_AS(Trainer(model, adam(), {nullptr, nullptr}, {}, 0), Contains("at least one output"),
                         ValueError);

    Trainer both(model, adam(), {entropy, entropy}, {1.0, 0.0}, 0);
    bind(both, {labels, labels}, {});
    const double first = both.test_step(nullptr, 0, 10);
    CHECK(first == both.losses()[0]);
    CHECK(both.losses()[1] > 0);
    bind(both, {labels, labels}, {{}, zeros});
    CHECK(both.test_step(nullptr, 0, 10) == first);
    CHECK(both.losses()[1] == 0);
    bind(both, {labels, labels}, {zeros});
    CHECK(both.test_step(nullptr, 0, 10) == 0);
    CHECK_THROWS_WITH_AS(bind(both, {labels, labels}, {zeros, zeros, zeros}), Contains("got 3 arrays"), ValueError);
}

TEST_CASE("training continues from a saved state") {
    const Pictures pictures(30, 4);
    const std::string path = "test_fit_state.safetensors", model_path = "test_fit_model.safetensors";
    FitOptions options;
    options.batch_size = 8;
    options.epochs = 2;
    Model model = small(5);
    Trainer trainer(model, adam(), cross_entropy(), {}, 6);
    trainer.set_learning_rate(0.002);
    fit(trainer, pictures.data(), options);
    save_training(trainer, path);
    fit(trainer, pictures.data(), options);

    Model again = small(7);
    Trainer other(again, adam(), cross_entropy(), {}, 8);
    load_training(other, path);
    CHECK(other.epochs() == 2);
    CHECK(other.iteration() == 8);
    CHECK(other.seed() == 6);
    CHECK(other.learning_rate() == 0.002);
    fit(other, pictures.data(), options);
    CHECK(values_of(again) == values_of(model));

    // What a program keeps beside the training.
    const std::vector<float> kept{1.5f, -2.0f, 0.25f};
    save_training(trainer, path, {{"program.note", "kept"}}, {{"a/b", {kept.data(), DType::float32, {1, 3}}}});
    const std::vector<float> saved = values_of(model);
    load_training(other, path);
    CHECK(values_of(again) == saved);
    const TrainingExtra extra = load_training_extra(path);
    CHECK(extra.metadata == Metadata({{"program.note", "kept"}}));
    CHECK(extra.arrays.size() == 1);
    const Tensor& array = extra.arrays.at("a/b");
    CHECK(array.shape() == Shape({1, 3}));
    CHECK(std::equal(kept.begin(), kept.end(), array.data()));
    const std::vector<int64_t> whole{1};
    CHECK_THROWS_WITH_AS(save_training(trainer, path, {}, {{"a", {whole.data(), DType::int64, {1}}}}),
                         Contains("float32"), ValueError);

    Trainer wrong(again, std::make_shared<SGD>(SGDOptions()), cross_entropy(), {}, 0);
    const std::vector<float> before = values_of(again);
    CHECK_THROWS_WITH_AS(load_training(wrong, path), Contains("the trainer's optimizer is SGD"), ValueError);
    save_model(model, model_path);
    CHECK_THROWS_WITH_AS(load_training(other, model_path), Contains("no state of a training run"), ValueError);
    CHECK(values_of(again) == before);
    CHECK_THROWS_WITH_AS(load_training(other, "absent.safetensors"), Contains("absent"), FileError);
    std::remove(path.c_str());
    std::remove(model_path.c_str());
}

Augmentation flips() {
    Augmentation change;
    change.flip_horizontal = change.flip_vertical = 0.5;
    return change;
}

// The class 1 is in one corner; only where masks are flipped with the pixels is it where the bright ones are.
TEST_CASE("masks are augmented with their images") {
    const int64_t count = 12;
    std::vector<uint8_t> pixels(count * 64);
    std::vector<int64_t> masks(count * 64);
    for (int64_t i = 0; i < count * 64; ++i) masks[i] = i % 8 > 4 && i / 8 % 8 > 4, pixels[i] = masks[i] ? 200 : 20;
    const Dataset data{
        {{pixels.data(), DType::uint8, {count, 8, 8, 1}}}, {{masks.data(), DType::int64, {count, 8, 8}}}, {}};
    models::UNetOptions unet;
    unet.input_shape = {8, 8, 1}, unet.base = 4, unet.depth = 1, unet.rescale = 1.0 / 255, unet.seed = 1;
    Model model = models::unet(unet);
    SparseCategoricalCrossentropyOptions logits;
    logits.from_logits = true;
    Trainer trainer(model, adam(), {std::make_shared<SparseCategoricalCrossentropy>(logits)}, {}, 0);
    FitOptions options;
    options.epochs = 60, options.batch_size = 5, options.augmentation = flips();
    trainer.set_learning_rate(0.01);
    const std::vector<EpochLog> history = fit(trainer, data, options);
    CHECK(history.back().training.accuracy == 1.0);
    CHECK(history.back().training.loss < 0.05);
    CHECK(evaluate(trainer, data).accuracy == 1.0);
    options.epochs = 1;
    fit(trainer, data, options);
    trainer.train_step(nullptr, 0, 5);  // on the caller's arrays, which are as they were
    for (int64_t i = 0; i < count * 64; ++i) {
        CHECK(masks[i] == (pixels[i] == 200));
        CHECK(masks[i] == (i % 8 > 4 && i / 8 % 8 > 4));
    }
    options.batch_size = 0;
    CHECK_THROWS_WITH_AS(fit(trainer, data, options), Contains("batch_size"), ValueError);
}

// One bright square an image: were its box not flipped with it, the loss of its position could not fall.
TEST_CASE("boxes are augmented with their images") {
    const int64_t count = 16, size = 16;
    std::vector<uint8_t> pixels(count * size * size, 20);
    std::vector<float> boxes(count * 2 * 5, -1.0f);
    for (int64_t i = 0; i < count; ++i) {
        const int64_t x = i % 4, y = i / 4;
        for (int64_t row = y; row < y + 6; ++row)
            for (int64_t column = x; column < x + 6; ++column) pixels[(i * size + row) * size + column] = 220;
        float* box = boxes.data() + i * 10;
        box[0] = x, box[1] = y, box[2] = x + 6, box[3] = y + 6, box[4] = 0;
    }
    const Dataset data{
        {{pixels.data(), DType::uint8, {count, size, size, 1}}}, {{boxes.data(), DType::float32, {count, 2, 5}}}, {}};
    models::DetectorOptions detector;
    detector.input_shape = {size, size, 1}, detector.base = 8, detector.strides = {8}, detector.rescale = 1.0 / 255;
    detector.seed = 1;
    Model model = models::detector(detector);
    DetectionLossOptions loss;
    loss.strides = {8}, loss.max_boxes = 2;
    Trainer trainer(model, adam(), {std::make_shared<DetectionLoss>(loss)}, {}, 0);
    trainer.set_learning_rate(0.002);
    FitOptions options;
    options.epochs = 300, options.batch_size = 4, options.augmentation = flips();
    const std::vector<EpochLog> history = fit(trainer, data, options);
    CHECK(history.back().training.loss < 0.3 * history.front().training.loss);
    // Squares where no image of the data has one.
    std::vector<uint8_t> flipped(pixels.rbegin(), pixels.rend());
    const std::vector<Tensor> outputs = model.predict({{flipped.data(), DType::uint8, {count, size, size, 1}}});
    const auto found = decode_detections({outputs[0].data(), DType::float32, outputs[0].shape()}, {8}, {});
    for (int64_t i = 0; i < count; ++i) {
        const float* box = boxes.data() + (count - 1 - i) * 10;
        const BoundingBox truth{16.0 - box[2], 16.0 - box[3], 16.0 - box[0], 16.0 - box[1]};
        CHECK(!found[i].empty());
        if (found[i].empty()) continue;
        const Detection& best = found[i][0];
        const BoundingBox seen{best.x1, best.y1, best.x2, best.y2};
        double iou = 0;
        box_iou(&seen, 1, &truth, 1, nullptr, &iou);
        CHECK(iou > 0.6);
    }
}

// A mirrored object at the border has no box: with boxes, the default fill is constant, and copies are refused.
TEST_CASE("borders of augmented images that have boxes are constant") {
    std::vector<float> pixels(8 * 16 * 16, 1.0f), boxes(8 * 5, 0.0f);
    for (int64_t i = 0; i < 8; ++i) boxes[i * 5 + 2] = boxes[i * 5 + 3] = 16.0f;
    const Dataset data{
        {{pixels.data(), DType::float32, {8, 16, 16, 1}}}, {{boxes.data(), DType::float32, {8, 1, 5}}}, {}};
    Augmentation change;
    change.shift_width = 0.5;
    std::vector<int64_t> order(8);
    std::iota(order.begin(), order.end(), 0);
    const auto zeros = [&](FillMode fill, Follows follows) {
        change.fill = fill;
        Feed feed(data, 8, change, {follows});
        feed.begin(order.data(), 8, 0);
        feed.next();
        const auto* made = static_cast<const float*>(feed.buffers().inputs[0].data);
        return std::count(made, made + pixels.size(), 0.0f);
    };
    CHECK(change.fill == FillMode::automatic);
    CHECK(zeros(FillMode::automatic, Follows::nothing) == 0);
    CHECK(zeros(FillMode::automatic, Follows::boxes) > 16 * 8);
    CHECK(zeros(FillMode::automatic, Follows::boxes) == zeros(FillMode::constant, Follows::nothing));
    CHECK(zeros(FillMode::nearest, Follows::boxes) == 0);
    for (const FillMode fill : {FillMode::reflect, FillMode::wrap})
        CHECK_THROWS_WITH_AS(zeros(fill, Follows::boxes), Contains("copies of objects at the borders"), ValueError);
    change.shift_width = 0.0, change.flip_horizontal = 1.0;
    CHECK(zeros(FillMode::reflect, Follows::boxes) == 0);  // flips move nothing in
    for (const int64_t crop : {int64_t{-1}, int64_t{1} << 40, std::numeric_limits<int64_t>::max()}) {
        change.crop = crop;
        CHECK_THROWS_WITH_AS(zeros(FillMode::reflect, Follows::nothing), Contains("Augment's crop"), ValueError);
        change.crop = 0, change.elastic = 0.1, change.elastic_grid = crop;
        CHECK_THROWS_WITH_AS(zeros(FillMode::reflect, Follows::nothing), Contains("Augment's elastic_grid"),
                             ValueError);
        change.elastic = 0.0, change.elastic_grid = 3;
    }
    change.zoom_smallest = change.zoom_largest = 0.0;
    CHECK_THROWS_WITH_AS(zeros(FillMode::reflect, Follows::nothing), Contains("Augment's zoom"), ValueError);
}

void write_file(const std::string& path, const std::vector<uint8_t>& bytes) {
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

TEST_CASE("IDX files are read, and damaged ones refused") {
    const std::string path = "test_fit.idx";
    const std::vector<uint8_t> good = {0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6};
    write_file(path, good);
    const IdxArray idx = read_idx(path);
    CHECK((idx.shape == Shape{2, 3}));
    CHECK((idx.values == std::vector<uint8_t>{1, 2, 3, 4, 5, 6}));
    const auto bad = [&](size_t at, uint8_t value, const char* message) {
        std::vector<uint8_t> bytes = good;
        bytes[at] = value;
        write_file(path, bytes);
        CHECK_THROWS_WITH_AS(read_idx(path), Contains(message), ValueError);
    };
    bad(2, 0x0d, "no unsigned bytes");
    bad(3, 9, "not an IDX file");
    bad(4, 0xff, "claims more");
    bad(11, 2, "does not fit");
    bad(7, 0, "claims more");
    write_file(path, {0x1f, 0x8b, 8, 0, 0});
    CHECK_THROWS_WITH_AS(read_idx(path), Contains("gunzip"), ValueError);
    for (size_t length = 0; length < good.size(); ++length) {
        write_file(path, {good.begin(), good.begin() + static_cast<std::ptrdiff_t>(length)});
        CHECK_THROWS_WITH_AS(read_idx(path), Contains(path.c_str()), ValueError);
    }
    std::remove(path.c_str());
}

// Frozen images of zeros and a learning rate of 1: a step without gradient changes weights by their decay alone.
TEST_CASE("weights can be excluded from weight decay") {
    const auto moved = [](WeightNames names) {
        Model model = small(3);
        AdamWOptions options;
        options.learning_rate = 1.0, options.weight_decay = 0.5;
        options.exclude_from_weight_decay = std::move(names);
        for (size_t i = 0; i < model.parameters().size(); ++i)
            fill_parameter(model, i, model.parameters()[i].name == "conv/bias" ? -1.0f : 1.0f);
        Trainer trainer(model, std::make_shared<AdamW>(options), cross_entropy(), {}, 5);
        const std::vector<float> zeros(36);
        const int64_t label = 0;
        trainer.bind({{{zeros.data(), DType::float32, {1, 6, 6, 1}}}, {{&label, DType::int64, {1}}}, {}});
        trainer.train_step(nullptr, 0, 1);  // ReLU is off, so that the convolution has no gradient
        std::vector<float> values;
        for (size_t i = 0; i < model.parameters().size(); ++i) values.push_back(value_of(model, i)[0]);
        return values;  // conv/kernel, conv/bias, dense/kernel, dense/bias
    };
    const std::vector<float> all = moved({}), biases = moved({"bias"}), layer = moved({"conv/"});
    CHECK(all[0] == 0.5f);
    CHECK(all[1] == -0.5f);
    CHECK(biases[0] == 0.5f);
    CHECK(biases[1] == -1.0f);
    CHECK(layer[0] == 1.0f);
    CHECK(layer[1] == -1.0f);
    CHECK(layer[2] == all[2]);
    CHECK(moved({"dense/kernel"})[2] == 1.0f);
    CHECK(all[2] == 0.5f);
    CHECK_THROWS_WITH_AS(moved({"bais"}), Contains("did you mean 'bias'"), ValueError);
    CHECK_THROWS_WITH_AS(moved({"convolution/"}), Contains("matches no weight of the model"), ValueError);
    CHECK_THROWS_WITH_AS(moved({"a,b"}), Contains("comma"), ValueError);
}

}  // namespace
