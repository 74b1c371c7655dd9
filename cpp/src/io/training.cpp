// The state of a training run as a file; see io.hpp.
#include <cmath>
#include <optional>

#include "io/json.hpp"
#include "io/safetensors.hpp"
#include "striate/error.hpp"
#include "striate/io.hpp"

namespace striate {
namespace {

constexpr const char* kKey = "striate.training_state";
constexpr int kDepth = 16;

std::string slot_name(const std::string& slot, const ParameterInfo& parameter) {
    return "optimizer/" + slot + "/" + parameter.name;
}

struct State {
    int64_t iteration, epochs;
    uint64_t seed;
    std::optional<double> rate;
};

int64_t count_of(const io::Json& state, const char* name) {
    const io::Json& value = io::member(state, name, kKey);
    require(value.is_number_unsigned() && value.get<uint64_t>() < (uint64_t{1} << 62), kKey, ": ", name,
            " must be a whole number that is not negative");
    return value.get<int64_t>();
}

State read_state(const Trainer& trainer, const io::SafetensorsFile& file) {
    const auto text = file.metadata().find(kKey);
    require(text != file.metadata().end(), "the file holds no state of a training run");
    const io::Json state = io::parse_json(text->second, kDepth, kKey);
    const io::Json& optimizer = io::member(state, "optimizer", kKey);
    const std::string& type = io::string_member(optimizer, "type", kKey);
    require(type == trainer.optimizer().type(), "the file is of training with ", type, ", the trainer's optimizer is ",
            trainer.optimizer().type());
    State result{count_of(state, "iteration"), count_of(state, "epochs"), 0, std::nullopt};
    const io::Json& seed = io::member(state, "seed", kKey);
    require(seed.is_number_unsigned(), kKey, ": seed must be a whole number that is not negative");
    result.seed = seed.get<uint64_t>();
    const io::Json& rate = io::member(state, "learning_rate", kKey);
    require(rate.is_null() || (rate.is_number() && std::isfinite(rate.get<double>()) && rate.get<double>() >= 0), kKey,
            ": learning_rate must be null or a number of at least 0");
    if (!rate.is_null()) result.rate = rate.get<double>();
    return result;
}

// Calls use(name, parameter, memory) for everything that a file of this training holds.
template <class Use>
void each_tensor(const Trainer& trainer, Use use) {
    const std::vector<std::string> names = trainer.optimizer().slots();
    const std::vector<float*> slots = trainer.slots();
    for (const ParameterInfo& parameter : trainer.parameters()) {
        use(parameter.name, parameter, parameter.value);
        if (!parameter.trainable) continue;
        for (size_t i = 0; i < slots.size(); ++i)
            use(slot_name(names[i], parameter), parameter, slots[i] + trainer.parameter_offset(parameter));
    }
}

}  // namespace

void save_training(const Trainer& trainer, const std::string& path) {
    std::vector<io::NamedTensor> tensors;
    each_tensor(trainer, [&](const std::string& name, const ParameterInfo& parameter, const float* data) {
        tensors.push_back({name, parameter.shape, data});
    });
    io::Json state;
    state["iteration"] = static_cast<uint64_t>(trainer.iteration());
    state["epochs"] = static_cast<uint64_t>(trainer.epochs());
    state["seed"] = trainer.seed();
    state["learning_rate"] = nullptr;
    if (trainer.learning_rate_override()) state["learning_rate"] = *trainer.learning_rate_override();
    state["optimizer"]["type"] = trainer.optimizer().type();
    state["optimizer"]["config"] = io::json_of(trainer.optimizer().config());
    trainer.read([&] { io::write_safetensors(path, tensors, {{kKey, io::dump_json(state)}}); });
}

void load_training(Trainer& trainer, const std::string& path) {
    try {
        const io::SafetensorsFile file(path);
        const State state = read_state(trainer, file);
        size_t count = 0;
        each_tensor(trainer, [&](const std::string& name, const ParameterInfo& parameter, const float*) {
            const io::SafetensorsFile::Entry* entry = file.find(name);
            require(entry != nullptr, "the file has no tensor ", quoted(name), ", which the training needs");
            require(entry->type == "F32" && entry->shape == parameter.shape, "tensor ", quoted(name), " is ",
                    entry->type, " of shape ", to_string(entry->shape), " in the file, and the training needs F32 of ",
                    to_string(parameter.shape));
            ++count;
        });
        require(file.entries().size() == count, "the file has ", file.entries().size(), " tensors, the training ",
                count);
        // A disk may fail at any tensor; until all are there, nothing is changed.
        std::vector<std::vector<float>> values;
        each_tensor(trainer, [&](const std::string& name, const ParameterInfo& parameter, const float*) {
            values.emplace_back(static_cast<size_t>(element_count(parameter.shape)));
            file.read(*file.find(name), values.back().data());
        });
        size_t next = 0;
        trainer.write([&] {
            each_tensor(trainer, [&](const std::string&, const ParameterInfo&, float* memory) {
                std::copy(values[next].begin(), values[next].end(), memory);
                ++next;
            });
        });
        trainer.set_iteration(state.iteration);
        trainer.set_epochs(state.epochs);
        trainer.set_seed(state.seed);
        trainer.set_learning_rate(state.rate.value_or(-1.0));
    } catch (const ValueError& error) {
        throw ValueError(concat("cannot load '", path, "': ", error.what()));
    }
}

}  // namespace striate
