// The state of training. A refused file leaves the trainer as it was; a file that was loaded can be trained on.
#include <vector>

#include "mutate.hpp"
#include "striate/error.hpp"
#include "striate/io.hpp"
#include "striate/striate.hpp"
#include "support.hpp"
#include "weights.hpp"

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
    return fuzz::mutate_safetensors(data, size, max_size, seed);
}

namespace {

struct Training {
    striate::Model model;
    striate::Trainer trainer;
    std::vector<float> x{1, 2}, y{0, 1};

    static striate::Model make_model() {
        const auto dense = std::make_shared<const striate::Dense>(striate::DenseOptions{1}, "d");
        const striate::Symbol input = striate::input({1}, "i");
        return {{input}, {striate::apply(dense, {input})}, 0};
    }
    Training()
        : model(make_model()),
          trainer(model, std::make_shared<striate::Adam>(striate::AdamOptions()),
                  {std::make_shared<striate::MeanSquaredError>()}, {}, 0) {
        trainer.bind(
            {{{x.data(), striate::DType::float32, {2, 1}}}, {{y.data(), striate::DType::float32, {2, 1}}}, {}});
    }
    std::string state() const {
        std::string bytes = std::to_string(trainer.iteration()) + " " + std::to_string(trainer.epochs()) + " " +
                            std::to_string(trainer.seed()) + " " + std::to_string(trainer.learning_rate());
        const auto add = [&](const std::vector<float>& values) {
            bytes.append(reinterpret_cast<const char*>(values.data()), sizeof(float) * values.size());
        };
        add(striate::test::values_of(model));
        std::vector<float> slot(static_cast<size_t>(trainer.parameter_arena_size()));
        for (size_t i = 0; i < trainer.slot_count(); ++i) {
            trainer.read_slot(i, slot.data());
            add(slot);
        }
        return bytes;
    }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static fuzz::MemoryFile file;
    static Training training;
    const std::string& path = file.put(data, size);
    const std::string before = training.state();
    try {
        {
            const fuzz::MemoryBound bound(size);
            striate::load_training(training.trainer, path);
        }
        const int64_t iteration = training.trainer.iteration();
        training.trainer.train_step(nullptr, 0, 2);
        fuzz::check(training.trainer.iteration() == iteration + 1, "a step did not count");
    } catch (const striate::ValueError&) {
        fuzz::check(training.state() == before, "a refused file changed the trainer");
    }
    return 0;
}
