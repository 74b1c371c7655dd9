// The state of a training run as a file; see io.hpp.
#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "graph/trainer_state.hpp"
#include "io/json.hpp"
#include "io/safetensors.hpp"
#include "striate/error.hpp"
#include "striate/io.hpp"

namespace striate {
namespace {

constexpr const char* kKey = "striate.training_state";
constexpr const char* kExtra = "extra/";
constexpr int kDepth = 16;

bool is_extra(const std::string& name) {
    return name.rfind(kExtra, 0) == 0;
}

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
            " must be an integer of at least 0");
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
    require(seed.is_number_unsigned(), kKey, ": seed must be an integer of at least 0");
    result.seed = seed.get<uint64_t>();
    const io::Json& rate = io::member(state, "learning_rate", kKey);
    require(rate.is_null() || (rate.is_number() && std::isfinite(rate.get<double>()) && rate.get<double>() >= 0), kKey,
            ": learning_rate must be null or a number of at least 0");
    if (!rate.is_null()) result.rate = rate.get<double>();
    return result;
}

// Calls use(name, shape, place) for everything that a file of this training holds.
template <class Use>
void each_tensor(const Trainer& trainer, Use use) {
    const std::vector<std::string> names = trainer.optimizer().slots();
    Parameters& parameters = trainer.state().model.parameters;
    std::vector<Mirrored>& slots = trainer.state().slots;
    for (size_t p = 0; p < parameters.infos().size(); ++p) {
        const ParameterInfo& parameter = parameters.infos()[p];
        const Parameters::Place place = parameters.place(static_cast<int>(p));
        use(parameter.name, parameter.shape, place);
        if (!parameter.trainable) continue;
        const size_t begin = sizeof(float) * static_cast<size_t>(parameters.arena_begin(static_cast<int>(p)));
        for (size_t i = 0; i < slots.size(); ++i)
            use(slot_name(names[i], parameter), parameter.shape, Parameters::Place{&slots[i], begin});
    }
}

}  // namespace

void save_training(const Trainer& trainer, const std::string& path, const Metadata& extra,
                   const std::map<std::string, Array>& arrays, bool overwrite) {
    io::Json state;
    state["iteration"] = static_cast<uint64_t>(trainer.iteration());
    state["epochs"] = static_cast<uint64_t>(trainer.epochs());
    state["seed"] = trainer.seed();
    state["learning_rate"] = nullptr;
    if (trainer.learning_rate_override()) state["learning_rate"] = *trainer.learning_rate_override();
    state["optimizer"]["type"] = trainer.optimizer().type();
    state["optimizer"]["config"] = io::json_of(trainer.optimizer().config());
    for (const auto& [name, array] : arrays)
        require(array.type == DType::float32, "an array that is kept beside the training must be float32, got ",
                name_of(array.type));
    Metadata metadata = extra;
    metadata[kKey] = io::dump_json(state);
    trainer.read([&] {
        std::vector<io::NamedTensor> tensors;
        each_tensor(trainer, [&](const std::string& name, const Shape& shape, const Parameters::Place& place) {
            tensors.push_back({name, shape, reinterpret_cast<const float*>(place.memory->read() + place.begin)});
        });
        for (const auto& [name, array] : arrays)
            tensors.push_back({kExtra + name, array.shape, static_cast<const float*>(array.data)});
        io::write_safetensors(path, tensors, metadata, overwrite);
    });
}

void load_training(Trainer& trainer, const std::string& path) {
    io::check_path(path);
    try {
        const io::SafetensorsFile file(path);
        const State state = read_state(trainer, file);
        std::set<std::string> needed;
        each_tensor(trainer, [&](const std::string& name, const Shape& shape, const Parameters::Place&) {
            const io::SafetensorsFile::Entry* entry = file.find(name);
            require(entry != nullptr, "the file has no tensor ", quoted(name), ", which the training needs");
            require(entry->type == "F32" && entry->shape == shape, "tensor ", quoted(name), " is ", entry->type,
                    " of shape ", to_string(entry->shape), " in the file, and the training needs F32 of ",
                    to_string(shape));
            needed.insert(name);
        });
        for (const io::SafetensorsFile::Entry& entry : file.entries())
            require(needed.count(entry.name) == 1 || is_extra(entry.name), "the file has a tensor ", quoted(entry.name),
                    ", which the training does not need");
        // A disk may fail at any tensor; until all are there, nothing is changed. From then on nothing can fail.
        std::vector<std::pair<Parameters::Place, io::StagedTensor>> staged;
        each_tensor(trainer, [&](const std::string& name, const Shape& shape, const Parameters::Place& place) {
            staged.emplace_back(place, io::StagedTensor(file, name, element_count(shape)));
        });
        trainer.write([&] {
            std::vector<float*> places;
            for (const auto& [place, tensor] : staged)
                places.push_back(reinterpret_cast<float*>(place.memory->change() + place.begin));
            for (size_t i = 0; i < staged.size(); ++i) staged[i].second.commit(places[i]);
        });
        trainer.set_iteration(state.iteration);
        trainer.set_epochs(state.epochs);
        trainer.set_seed(state.seed);
        trainer.set_learning_rate(state.rate.value_or(-1.0));
    } catch (const ValueError& error) {
        throw ValueError(concat("cannot load '", path, "': ", error.what()));
    }
}

TrainingExtra load_training_extra(const std::string& path) {
    io::check_path(path);
    try {
        const io::SafetensorsFile file(path);
        require(file.metadata().count(kKey) == 1, "the file holds no state of a training run");
        TrainingExtra extra;
        extra.metadata = file.metadata();
        extra.metadata.erase(kKey);
        for (const io::SafetensorsFile::Entry& entry : file.entries()) {
            if (!is_extra(entry.name)) continue;
            require(entry.type == "F32", "tensor ", quoted(entry.name), " is ", entry.type, ", expected F32");
            Tensor tensor(entry.shape);
            file.read(entry, tensor.data());
            extra.arrays.emplace(entry.name.substr(std::string(kExtra).size()), std::move(tensor));
        }
        return extra;
    } catch (const ValueError& error) {
        throw ValueError(concat("cannot load '", path, "': ", error.what()));
    }
}

}  // namespace striate
