// Calls of CUDA that fail at random: each ends in an exception or is not noticed, no memory is lost, and the model then
// computes on the CPU what it computed before.
#include <dlfcn.h>

#include <cmath>
#include <cstdlib>
#include <memory>
#include <new>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "striate/striate.hpp"

using namespace striate;

namespace {

struct Emulator {
    void* library = dlopen(std::getenv("STRIATE_CUDA_PLUGIN"), RTLD_NOW);
    template <class F>
    F* function(const char* name) const {
        return reinterpret_cast<F*>(dlsym(library, name));
    }
    void (*fail)(int, int) = function<void(int, int)>("emulator_fail");
    long (*calls)() = function<long()>("emulator_calls");
    size_t (*allocated)() = function<size_t()>("emulator_allocated");
    size_t (*graphs)() = function<size_t()>("emulator_graphs");
};

Model make_model() {
    Conv2DOptions conv;
    conv.filters = 4, conv.kernel_size = 3, conv.activation = "relu";
    DenseOptions dense;
    dense.units = 3;
    const Symbol in = input({6, 6, 1}, "input");
    Symbol x = apply(std::make_shared<const Conv2D>(conv, "conv"), {in});
    x = apply(std::make_shared<const BatchNormalization>(BatchNormalizationOptions{}, "norm"), {x});
    x = apply(std::make_shared<const Flatten>(FlattenOptions{}, "flatten"), {x});
    return Model({in}, {apply(std::make_shared<const Dense>(dense, "dense"), {x})}, 1);
}

}  // namespace

TEST_CASE("a failed call of CUDA is an exception, loses no memory, and leaves the model as it was") {
    const Emulator emulator;
    const int failures = check::repetitions(1000);
    check::Random random(5);
    Tensor x({4, 6, 6, 1}), y({4, 3});
    for (int64_t i = 0; i < x.size(); ++i) x.data()[i] = static_cast<float>(random.uniform(-1, 1));
    for (int64_t i = 0; i < y.size(); ++i) y.data()[i] = static_cast<float>(random.uniform(-1, 1));
    // Errors that do not stay: of memory, of arguments, of the launch's configuration, and one without a name.
    const int errors[] = {2, 1, 9, 999};
    int noticed = 0;
    long calls_of_a_step = 0;
    for (int i = 0; i < failures; ++i) {
        {
            Model model = make_model();
            Trainer trainer(model, make_optimizer("Adam", {}), {std::make_shared<MeanSquaredError>()}, {}, 4);
            trainer.bind({{x}, {y}, {}});
            const bool warm = random.integer(0, 1) == 0;
            try {
                model.set_device("cuda");
                const long before = emulator.calls();
                // Steps are recorded at the second run and replayed from then on.
                for (int k = 0; warm && k <= i % 3; ++k) trainer.train_step(nullptr, 0, 4);
                if (warm && i % 3 > 0) REQUIRE(emulator.graphs() > 0);
                if (warm && calls_of_a_step == 0) calls_of_a_step = emulator.calls() - before;
                emulator.fail(static_cast<int>(random.integer(1, std::max<long>(50, calls_of_a_step))),
                              errors[random.integer(0, 3)]);
                trainer.train_step(nullptr, 0, 4);
                model.predict({x}, 4);
            } catch (const std::bad_alloc&) {
                ++noticed;
            } catch (const std::runtime_error&) {
                ++noticed;
            }
            emulator.fail(0, 0);
            model.set_device("cpu");
            const Tensor first = std::move(model.predict({x}, 4)[0]), second = std::move(model.predict({x}, 4)[0]);
            for (int64_t k = 0; k < first.size(); ++k)
                REQUIRE((std::isfinite(first.data()[k]) && first.data()[k] == second.data()[k]));
            REQUIRE(std::isfinite(trainer.train_step(nullptr, 0, 4)));
            // And on the device again.
            model.set_device("cuda");
            REQUIRE(std::isfinite(trainer.train_step(nullptr, 0, 4)));
        }
        REQUIRE(emulator.allocated() == 0);
        REQUIRE(emulator.graphs() == 0);
    }
    CHECK(noticed > failures / 3);
}
