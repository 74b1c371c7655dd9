// What a model computes on an accelerator, whichever of its kernels that has, is what it computes on the CPU, to the
// bit.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "graph/model_state.hpp"
#include "random.hpp"
#include "striate/striate.hpp"
#include "trivial_device.hpp"
#include "weights.hpp"

namespace striate::test {

// Everything that a model gave: predictions, a raw pass both ways, and two steps of training.
struct Computed {
    std::vector<std::vector<float>> all;
    void add(const float* data, int64_t size) { all.emplace_back(data, data + size); }
    void add(const std::vector<Tensor>& tensors) {
        for (const Tensor& t : tensors) add(t.data(), t.size());
    }
    bool operator==(const Computed& other) const {
        if (all.size() != other.all.size()) return false;
        for (size_t i = 0; i < all.size(); ++i)
            if (all[i].size() != other.all[i].size() ||
                (!all[i].empty() &&
                 std::memcmp(all[i].data(), other.all[i].data(), all[i].size() * sizeof(float)) != 0))
                return false;
        return true;
    }
};

inline std::vector<Tensor> random_tensors(const std::vector<Shape>& shapes, int64_t batch, int seed) {
    check::Random random(seed);
    std::vector<Tensor> tensors;
    for (Shape shape : shapes) {
        shape.insert(shape.begin(), batch);
        Tensor& made = tensors.emplace_back(std::move(shape));
        for (int64_t i = 0; i < made.size(); ++i) made.data()[i] = static_cast<float>(random.uniform(-2, 2));
    }
    return tensors;
}

inline std::vector<Array> arrays_of(const std::vector<Tensor>& tensors) {
    return {tensors.begin(), tensors.end()};
}

// `losses` and `targets` are for training; without them the losses are mean squared errors.
inline Computed compute(Model& model, const OptimizerPtr& optimizer, std::vector<LossPtr> losses = {},
                        std::vector<Array> targets = {}) {
    constexpr int64_t kBatch = 3;
    Computed computed;
    const std::vector<Tensor> x = random_tensors(model.input_shapes(), kBatch, 1),
                              slopes = random_tensors(model.output_shapes(), kBatch, 2);
    computed.add(model.predict(arrays_of(x), 2));
    computed.add(model.forward(arrays_of(x), true));
    computed.add(model.backward(arrays_of(slopes)));
    for (size_t i = 0; i < model.parameters().size(); ++i) {
        const std::vector<float> gradient = gradient_of(model, i);
        computed.add(gradient.data(), static_cast<int64_t>(gradient.size()));
    }
    if (losses.empty()) {
        losses.assign(slopes.size(), std::make_shared<MeanSquaredError>());
        targets = arrays_of(slopes);
    }
    Trainer trainer(model, optimizer, losses, {}, 4);
    trainer.bind({arrays_of(x), targets, {}});
    std::vector<float> values;
    for (int step = 0; step < 2; ++step) {
        const double loss = trainer.train_step(nullptr, 0, kBatch) + trainer.test_step(nullptr, 1, kBatch - 1);
        values.push_back(static_cast<float>(loss));
        const std::vector<float> weights = values_of(model);
        values.insert(values.end(), weights.begin(), weights.end());
        // What the host writes, the next step sees.
        for (size_t i = 0; i < model.parameters().size() && step == 0; i += 2) {
            std::vector<float> value = value_of(model, i);
            for (float& v : value) v *= 0.5f;
            model.write_parameter(i, value.data());
        }
    }
    std::vector<float> slot(static_cast<size_t>(trainer.parameter_arena_size()));
    for (size_t i = 0; i < trainer.slot_count(); ++i) {
        trainer.read_slot(i, slot.data());
        values.insert(values.end(), slot.begin(), slot.end());
    }
    computed.add(values.data(), static_cast<int64_t>(values.size()));
    computed.add(model.predict(arrays_of(x), kBatch));
    return computed;
}

// Computes on the CPU and on several devices. `run` makes a model, passes it to `move`, and computes. `check` gets each
// comparison, with the text of an error.
inline void compare_devices(const std::string& label,
                            const std::function<Computed(const std::function<void(Model&)>& move)>& run,
                            const std::function<void(bool correct, const std::string& error)>& check) {
    const Computed want = run([](Model&) {});
    const auto number = [](kernels::Row row) { return static_cast<uint32_t>(row); };
    const std::pair<const char*, std::function<bool(kernels::Row)>> choices[] = {
        {"all kernels", [](kernels::Row) { return true; }},
        {"no kernels", [](kernels::Row) { return false; }},
        {"every other kernel", [&](kernels::Row row) { return number(row) % 2 == 0; }},
        {"the others", [&](kernels::Row row) { return number(row) % 2 == 1; }},
        {"some kernels", [&](kernels::Row row) { return number(row) * 2654435761u >> 30 & 1; }},
    };
    for (const auto& [name, has] : choices) {
        const TrivialDevice device(has);
        const Computed got = run([&](Model& model) { model.state().move_to(device); });
        const std::string where = label + ", on a device with " + name;
        check(got == want, where + ": other bits than on the CPU");
        check(device.blocks() == 0, where + ": memory of the device was not released");
        check(device.launches == 0 || device.uploads > 0, where + ": nothing was copied to the device");
    }
}

}  // namespace striate::test
