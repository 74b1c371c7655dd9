// One model and several threads: every call that may be made at the same time is, also as the first that the model is
// used for. Under ThreadSanitizer this finds races; without it, results that differ.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <thread>

#include "check.hpp"
#include "step_lock.hpp"
#include "striate/c.h"
#include "striate/striate.hpp"
#include "weights.hpp"

using namespace striate;
using namespace striate::test;

namespace {

constexpr int64_t kRows = 24, kSide = 12;
const Shape kShape{kRows, kSide, kSide, 2};

struct Pictures {
    std::vector<float> pixels;
    std::vector<int64_t> labels;

    Pictures() : pixels(static_cast<size_t>(element_count(kShape))) {
        fill_normal(pixels.data(), static_cast<int64_t>(pixels.size()), 0, 1, 4, 0);
        for (int64_t i = 0; i < kRows; ++i) labels.push_back(i % 3);
    }
    std::vector<Array> inputs() const { return {{pixels.data(), DType::float32, kShape}}; }
    Dataset data() const { return {inputs(), {{labels.data(), DType::int64, {kRows}}}, {}}; }
};

Model made() {
    InputLayerOptions image;
    image.shape = {kSide, kSide, 2};
    Conv2DOptions first, second;
    first.filters = 16, first.kernel_size = 3, first.padding = "same";
    second.filters = 16, second.kernel_size = 3;
    DropoutOptions dropout;
    dropout.rate = 0.2;
    DenseOptions dense;
    dense.units = 3;
    return Model::sequential(
        {std::make_shared<InputLayer>(image, "image"), std::make_shared<Conv2D>(first, "first"),
         std::make_shared<BatchNormalization>(BatchNormalizationOptions(), "norm"),
         std::make_shared<ReLU>(ReLUOptions(), "relu"), std::make_shared<Conv2D>(second, "second"),
         std::make_shared<Dropout>(dropout, "dropout"), std::make_shared<Flatten>(FlattenOptions(), "flatten"),
         std::make_shared<Dense>(dense, "dense")},
        7);
}

std::vector<LossPtr> losses() {
    SparseCategoricalCrossentropyOptions options;
    options.from_logits = true;
    return {std::make_shared<SparseCategoricalCrossentropy>(options)};
}

std::vector<float> values_at_once(const Model& model) {
    std::vector<float> all;
    model.read([&] { all = values_of(model); });
    return all;
}

std::vector<float> floats(const std::vector<Tensor>& tensors) {
    std::vector<float> all;
    for (const Tensor& t : tensors) all.insert(all.end(), t.data(), t.data() + element_count(t.shape()));
    return all;
}

// A folder that is removed at the end.
struct Folder {
    std::string path = (std::filesystem::temp_directory_path() / "striate-test-XXXXXX").string();

    Folder() { REQUIRE(mkdtemp(path.data())); }
    ~Folder() { std::filesystem::remove_all(path); }
};

using Calls = std::vector<std::function<void(int round)>>;

// Runs the calls, each in a thread of its own, `rounds` times.
void at_once(const Calls& calls, int rounds) {
    std::atomic<int> ready{0};
    std::vector<std::thread> threads;
    for (const auto& call : calls)
        threads.emplace_back([&] {
            ++ready;
            while (ready < static_cast<int>(calls.size())) std::this_thread::yield();
            for (int round = 0; round < rounds; ++round) call(round);
        });
    for (std::thread& thread : threads) thread.join();
}

Calls reading_calls(Model& model, const Pictures& pictures, const std::string& folder,
                    std::function<void()> watch = {}) {
    Tensor ones({kRows, 3});
    std::fill_n(ones.data(), element_count(ones.shape()), 1.0f);
    auto shared = std::make_shared<Tensor>(std::move(ones));
    return {
        [&](int) { model.predict(pictures.inputs(), 7); },
        [&](int) { model.predict(pictures.inputs(), 7); },
        [&](int) { model.predict_nodes(pictures.inputs(), {1, 3}, 5); },
        [&, shared](int) {
            model.node_gradients(pictures.inputs(), {{shared->data(), DType::float32, shared->shape()}}, {2});
        },
        [&](int) { model.profile(pictures.inputs(), {0, 8}, 8); },
        [&](int) { values_at_once(model); },
        [&, folder](int) { save_model(model, folder + "/model"); },
        [&](int) {
            model.arena_bytes(4, true);
            model.trainable("first");
        },
        [watch](int) {
            if (watch) watch();
        },
    };
}

void test_reading(const std::string& folder) {
    const Pictures pictures;
    Model alone = made();
    const std::vector<float> want = floats(alone.predict(pictures.inputs(), 7));
    for (int models = 0; models < 3; ++models) {
        Model model = made();
        Calls calls = reading_calls(model, pictures, folder);
        calls[0] = [&](int) { CHECK(floats(model.predict(pictures.inputs(), 7)) == want); };
        at_once(calls, 4);
    }
}

// Training beside all that reads: the same bits as alone, and what is read is of one step.
void test_training_beside_reading(const std::string& folder) {
    const Pictures pictures;
    const auto steps = [&](Model& model, const std::function<void()>& after) {
        Trainer trainer(model, std::make_shared<Adam>(AdamOptions()), losses(), {}, 3);
        trainer.bind(pictures.data());
        for (int step = 0; step < 12; ++step) {
            trainer.train_step(nullptr, step % 3 * 8, 8);
            after();
        }
    };
    Model alone = made();
    std::vector<std::vector<float>> states{values_at_once(alone)};
    steps(alone, [&] { states.push_back(values_at_once(alone)); });

    Model model = made();
    Calls calls = reading_calls(model, pictures, folder, [&] {
        const std::vector<float> seen = values_at_once(model);
        CHECK(std::find(states.begin(), states.end(), seen) != states.end());
    });
    calls.push_back([&](int round) {
        if (round == 0) steps(model, [] {});
    });
    at_once(calls, 12);
    CHECK(values_at_once(model) == states.back());
}

// Training with a feed, raw passes, weights that are set and loaded, layers that are frozen, a second trainer.
void test_changes(const std::string& folder) {
    const Pictures pictures;
    Model model = made();
    save_weights(model, folder + "/weights");
    const auto train = [&](uint64_t seed, bool fed) {
        Trainer trainer(model, std::make_shared<SGD>(SGDOptions()), losses(), {}, seed);
        FitOptions options;
        options.epochs = 2, options.batch_size = 8;
        Augmentation change;
        change.rotation = 5;
        if (fed) options.augmentation = change;
        fit(trainer, pictures.data(), options);
        save_training(trainer, folder + "/training" + std::to_string(seed));
        load_training(trainer, folder + "/training" + std::to_string(seed));
        evaluate(trainer, pictures.data());
        trainer.profile({0}, 8);
    };
    Tensor ones({kRows, 3});
    std::fill_n(ones.data(), element_count(ones.shape()), 1.0f);
    Calls calls = reading_calls(model, pictures, folder);
    const Calls changes = {
        [&](int) { train(1, false); },
        [&](int) { train(2, true); },
        [&](int) {
            model.forward(pictures.inputs(), true);
            try {
                model.backward({{ones.data(), DType::float32, ones.shape()}});
            } catch (const ValueError&) {
                // The weights changed between the two, as they may here.
            }
        },
        [&](int) { load_weights(model, folder + "/weights"); },
        [&](int round) { model.set_trainable("first", round % 2 == 0); },
        [&](int) {
            model.write([&] {
                for (size_t i = 0; i < model.parameters().size(); ++i) fill_parameter(model, i, 0.01f);
            });
        },
        [&](int) {
            next_seed();
            set_num_threads(get_num_threads());
            model.set_plan_options(model.plan_options());
            runtime_info();
        },
    };
    calls.insert(calls.end(), changes.begin(), changes.end());
    at_once(calls, 3);
}

TEST_CASE("backward() is refused after a change or another thread's forward()") {
    const Pictures pictures;
    Model model = made();
    Tensor ones({kRows, 3});
    const std::vector<Array> gradient{{ones.data(), DType::float32, ones.shape()}};
    model.forward(pictures.inputs());
    std::thread([&] { model.forward(pictures.inputs()); }).join();
    CHECK_THROWS_WITH_AS(model.backward(gradient), Contains("another thread has called forward()"), ValueError);
    model.forward(pictures.inputs());
    model.write([] {});
    CHECK_THROWS_WITH_AS(model.backward(gradient), Contains("have been changed"), ValueError);
}

// While other threads train and predict: the child has the weights of a whole step, and computes.
TEST_CASE("a forked child has the weights of a whole step, and computes") {
    const Pictures pictures;
    Model model = made(), watched = made();
    std::atomic<bool> end{false};
    // Each step leaves equal weights, so that a mixture of two steps is seen.
    const auto set_all = [&](float value) {
        model.write([&] {
            for (size_t i = 0; i < model.parameters().size(); ++i) fill_parameter(model, i, value);
        });
    };
    set_all(0.0f);
    std::thread writer([&] {
        for (float value = 1.0f; !end; value += 1.0f) set_all(value);
    });
    std::thread reader([&] {
        while (!end) watched.predict(pictures.inputs(), 7);
    });
    const std::vector<float> want = floats(watched.predict(pictures.inputs(), 7));
    for (int i = 0; i < 5; ++i) {
        const pid_t child = fork();
        if (child == 0) {
            const std::vector<float> values = values_at_once(model);
            const bool whole = std::all_of(values.begin(), values.end(), [&](float v) { return v == values[0]; });
            _exit(whole && floats(watched.predict(pictures.inputs(), 7)) == want ? 0 : 1);
        }
        int status = -1;
        CHECK(waitpid(child, &status, 0) == child);
        CHECK(status == 0);
    }
    end = true;
    writer.join();
    reader.join();
}

void test_c_interface(const std::string& folder) {
    const Pictures pictures;
    save_model(made(), folder + "/c");
    striate_model* const model = striate_load((folder + "/c").c_str());
    const float* const inputs[] = {pictures.pixels.data()};
    const auto predict = [&](int) {
        std::vector<float> out(kRows * 3);
        float* const outputs[] = {out.data()};
        CHECK(striate_predict(model, kRows, inputs, outputs, 5) == 0);
        CHECK(striate_predict(model, 0, inputs, outputs, 5) == -1);
        CHECK(striate_last_error()[0] != '\0');
    };
    at_once(Calls(4, predict), 4);
    striate_free(model);
}

// Writers are alone, readers are not, and none waits without end for the others.
TEST_CASE("the step lock excludes writers, and no caller waits without end") {
    StepLock lock;
    int64_t value = 0;
    std::atomic<int> reading{0}, both{0};
    std::atomic<bool> end{false};
    const auto write = [&](int) {
        for (int i = 0; i < 300; ++i) {
            const std::unique_lock<StepLock> writing(lock);
            CHECK(reading == 0);
            ++value;
        }
    };
    const auto read = [&](int) {
        for (int i = 0; i < 300; ++i) {
            const std::shared_lock<StepLock> held(lock);
            if (++reading > 1) ++both;
            const int64_t before = value;
            std::this_thread::yield();
            CHECK(value == before);
            --reading;
        }
    };
    at_once({write, read, read, write, read}, 1);
    CHECK(value == 600);
    CHECK(both > 0);

    // A loop of writers lets a reader through, and the other way round.
    std::thread loop([&] {
        while (!end) const std::unique_lock<StepLock> writing(lock);
    });
    for (int i = 0; i < 20; ++i) const std::shared_lock<StepLock> held(lock);
    end = true;
    loop.join();
    end = false;
    std::vector<std::thread> loops;
    for (int i = 0; i < 3; ++i)
        loops.emplace_back([&] {
            while (!end) const std::shared_lock<StepLock> held(lock);
        });
    for (int i = 0; i < 20; ++i) const std::unique_lock<StepLock> writing(lock);
    end = true;
    for (std::thread& thread : loops) thread.join();
}

TEST_CASE("the number of threads that can be started") {
    CHECK(startable_threads(3) == 3);
    CHECK(startable_threads(0) == 0);
}

}  // namespace

TEST_CASE("all calls that only read run at the same time") {
    const Folder folder;
    test_reading(folder.path);
}

TEST_CASE("reading beside training sees whole steps and does not change them") {
    const Folder folder;
    test_training_beside_reading(folder.path);
}

TEST_CASE("all calls that change a model run at the same time") {
    const Folder folder;
    test_changes(folder.path);
}

TEST_CASE("the C interface is used by several threads") {
    const Folder folder;
    test_c_interface(folder.path);
}
