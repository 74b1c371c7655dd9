// Model files: one safetensors file with the weights, and the architecture as JSON in its metadata.
#pragma once

#include <map>
#include <string>

#include "striate/model.hpp"
#include "striate/trainer.hpp"

namespace striate STRIATE_API {

using Metadata = std::map<std::string, std::string>;

// Writes to a temporary file beside `path`, flushes it to the disk and renames it, so that `path` is either the old
// file or the whole new one. Entries of `extra` go into the metadata beside the architecture. Throws FileError.
void save_model(const Model& model, const std::string& path, const Metadata& extra = {});
void save_weights(const Model& model, const std::string& path);

// Throws FileError when the file cannot be read, ValueError when it is damaged, is no model, or does not fit; before
// that, nothing is allocated for sizes that the file merely claims. `extra`, if not null, receives the metadata's other
// entries.
Model load_model(const std::string& path, Metadata* extra = nullptr);
void load_weights(Model& model, const std::string& path);

// All that training goes on from, bit for bit: the weights, the optimizer's state under each parameter's name
// ("optimizer/momentum/conv2d/kernel"), and in the metadata the steps and epochs done, the seed, the optimizer with its
// arguments, and the learning rate where one was set.
//
// `extra` and `arrays` (float32) are what a program keeps beside it, such as the state of Python's callbacks; the
// arrays are called "extra/NAME" in the file.
void save_training(const Trainer& trainer, const std::string& path, const Metadata& extra = {},
                   const std::map<std::string, Array>& arrays = {});
// Into a trainer of a model of the same architecture with an optimizer of the same class, which gets the seed too.
// Throws FileError when the file cannot be read, ValueError when it is damaged or of other training; the trainer is
// then as it was.
void load_training(Trainer& trainer, const std::string& path);
// What a program kept in such a file. Throws as load_training() does.
struct TrainingExtra {
    Metadata metadata;
    std::map<std::string, Tensor> arrays;
};
TrainingExtra load_training_extra(const std::string& path);

// The architecture alone, as JSON.
std::string architecture_json(const Model& model);
Model model_from_json(const std::string& json, uint64_t seed);

}  // namespace striate STRIATE_API
