// Plans on an accelerator: each kernel that it lacks is done by the CPU, on copies that are made when they are needed.
// tests/test_exchange.py has every layer do the same.
#include "check.hpp"
#include "device_check.hpp"

using namespace striate;
using namespace striate::test;

namespace {

using Move = std::function<void(Model&)>;

void check_devices(const std::string& label, const std::function<Computed(const Move& move)>& run) {
    compare_devices(label, run, [](bool correct, const std::string& error) { CHECK_MESSAGE(correct, error); });
}

OptimizerPtr adam() {
    return make_optimizer("Adam", {});
}

TEST_CASE("networks compute the same bits on a device") {
    const std::pair<const char*, std::function<Model()>> all[] = {
        {"lenet",
         [] {
             models::LeNetOptions o;
             o.input_shape = {12, 12, 1}, o.dropout = 0.3, o.seed = 1;
             return models::lenet(o);
         }},
        {"resnet18",
         [] {
             models::ResNet18Options o;
             o.input_shape = {16, 16, 3}, o.width = 16, o.seed = 2;
             return models::resnet18(o);
         }},
        {"unet",
         [] {
             models::UNetOptions o;
             o.input_shape = {16, 16, 1}, o.base = 8, o.depth = 2, o.activation = "softmax", o.seed = 3;
             return models::unet(o);
         }},
    };
    for (const auto& row : all)
        for (const bool fusion :
             row.first == std::string("lenet") ? std::vector<bool>{true, false} : std::vector<bool>{true})
            check_devices(row.first, [&](const Move& move) {
                Model model = row.second();
                model.set_plan_options({fusion, true});
                move(model);
                return compute(model, adam());
            });
}

Model classifier(const char* activation, int64_t units) {
    const Symbol in = input({7}, "input");
    DenseOptions options;
    options.units = units, options.activation = activation;
    return Model({in}, {apply(std::make_shared<const Dense>(options, "dense"), {in})}, 5);
}

TEST_CASE("every loss gives the same bits on a device") {
    for (const std::string& type : loss_types()) {
        const bool detector = type == DetectionLoss::kType;
        const auto make = [&] {
            if (!detector) return classifier("softmax", 4);
            models::DetectorOptions o;
            o.input_shape = {64, 64, 1}, o.classes = 2, o.base = 8, o.seed = 6;
            return models::detector(o);
        };
        const LossPtr loss =
            type == WeightedSum::kType
                ? WeightedSum::of({make_loss("CategoricalCrossentropy", {}), make_loss("Dice", {})}, {1, 2})
                : make_loss(type, {});
        Shape shape{3};
        const Model model = make();
        for (int64_t size : loss->target_shape(model.output_shapes()[0], "output")) shape.push_back(size);
        check::Random random(7);
        const auto count = static_cast<size_t>(element_count(shape));
        std::vector<int64_t> labels(count);
        std::vector<float> numbers(count);
        for (size_t i = 0; i < count; ++i) {
            labels[i] = random.integer(0, 3);
            numbers[i] = static_cast<float>(random.integer(0, 1));
            if (detector) {
                const float box[] = {8, 8, 40, 32, i < 5 ? 1.0f : -1.0f};
                numbers[i] = box[i % 5];
            }
        }
        const bool whole = loss->target_type() == DType::int64;
        const Array target{whole ? static_cast<const void*>(labels.data()) : numbers.data(), loss->target_type(),
                           shape};
        check_devices(type, [&](const Move& move) {
            Model made = make();
            move(made);
            return compute(made, adam(), {loss}, {target});
        });
    }
}

TEST_CASE("every optimizer gives the same bits on a device") {
    for (const std::string& type : optimizer_types())
        for (const char* clip : {"", "clipnorm", "global_clipnorm"}) {
            Config config;
            if (*clip) config.set(clip, 0.1);
            check_devices(type + " " + clip, [&](const Move& move) {
                Model model = classifier("tanh", 9);
                move(model);
                return compute(model, make_optimizer(type, config));
            });
        }
}

// With all kernels, inputs go up and results come down, once each; nothing else moves.
TEST_CASE("only inputs and results are copied while a network is on a device") {
    const TrivialDevice device([](kernels::Row) { return true; });
    {
        Model model = classifier("relu", 5);
        model.state().move_to(device);
        const std::vector<Tensor> x = random_tensors({{7}}, 4, 1);
        model.predict(arrays_of(x), 4);
        const int uploads = device.uploads, downloads = device.downloads;
        for (int i = 1; i <= 3; ++i) {
            model.predict(arrays_of(x), 4);
            CHECK(device.uploads == uploads + i);
            CHECK(device.downloads == downloads + i);
        }
        const Tensor before = std::move(model.predict(arrays_of(x), 4)[0]);
        model.state().move_to(cpu());
        const Tensor after = std::move(model.predict(arrays_of(x), 4)[0]);
        CHECK(std::equal(before.data(), before.data() + before.size(), after.data()));
    }
    CHECK(device.blocks() == 0);
}

// Weights that training left on the device are what files get; files that are read are what the device gets.
TEST_CASE("files are written from a device, and read to it") {
    const TrivialDevice device([](kernels::Row) { return true; });
    const std::string path = "test_device.safetensors";
    Model model = classifier("relu", 5), other = classifier("relu", 5);
    model.state().move_to(device);
    const std::vector<Tensor> x = random_tensors({{7}}, 4, 1), y = random_tensors({{5}}, 4, 2);
    Trainer trainer(model, adam(), {std::make_shared<MeanSquaredError>()}, {}, 4);
    trainer.bind({arrays_of(x), arrays_of(y), {}});
    for (int i = 0; i < 3; ++i) trainer.train_step(nullptr, 0, 4);
    const std::vector<float> trained = values_of(model);
    trainer.train_step(nullptr, 0, 4);
    save_training(trainer, path);
    Trainer resumed(other, adam(), {std::make_shared<MeanSquaredError>()}, {}, 4);
    load_training(resumed, path);
    CHECK(values_of(other) == values_of(model));
    CHECK(values_of(model) != trained);
    resumed.bind({arrays_of(x), arrays_of(y), {}});
    load_training(trainer, path);
    CHECK(trainer.train_step(nullptr, 0, 4) == resumed.train_step(nullptr, 0, 4));
    CHECK(values_of(other) == values_of(model));
    // A profile leaves everything as it is.
    const std::vector<float> weights = values_of(model);
    CHECK(trainer.profile({0}, 4).runs.size() == 1);
    CHECK(values_of(model) == weights);
    std::remove(path.c_str());
}

}  // namespace
