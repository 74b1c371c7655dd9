// Model files: one safetensors file with the weights, and the architecture as JSON in its metadata.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "striate/model.hpp"
#include "striate/trainer.hpp"

namespace striate STRIATE_API {

using Metadata = std::map<std::string, std::string>;

// All writers here, and write_file(), write to a temporary file beside `path`, flush it to the disk and rename it:
// `path` is either the old file or the whole new one. Permissions of the old file are kept, symbolic links are
// followed, and the temporary files of killed processes in that folder are removed. With `overwrite` false an existing
// file is kept, and FileError has the code EEXIST. Throws FileError, and ValueError where `path` holds a null byte.

// Entries of `extra` go into the metadata beside the architecture.
void save_model(const Model& model, const std::string& path, const Metadata& extra = {}, bool overwrite = true);
void save_weights(const Model& model, const std::string& path, bool overwrite = true);

// Throws FileError when the file cannot be read, ValueError when it is damaged, is no model, or does not fit; before
// that, nothing is allocated for sizes that the file merely claims. `extra`, if not null, receives the metadata's other
// entries.
Model load_model(const std::string& path, Metadata* extra = nullptr);

// How load_weights() treats differences between a file and a model. By default each is an error.
struct LoadOptions {
    bool skip_mismatch = false;  // leave a layer as it is if its weights in the file are missing or of other shapes
    bool by_name = false;        // read the layers that both the file and the model have
};
struct SkippedLayer {
    std::string name, reason;
};
// The layers of the model and of the file that `skip_mismatch` left out. It fails if no layer is left to be read. Where
// it throws, no weight was changed.
std::vector<SkippedLayer> load_weights(Model& model, const std::string& path, const LoadOptions& options = {});

// All that training goes on from, bit for bit: the weights, the optimizer's state under each parameter's name
// ("optimizer/momentum/conv2d/kernel"), and in the metadata the steps and epochs done, the seed, the optimizer with its
// arguments, and the learning rate where one was set.
//
// `extra` and `arrays` (float32) are what a program keeps beside it, such as the state of Python's callbacks; the
// arrays are called "extra/NAME" in the file.
void save_training(const Trainer& trainer, const std::string& path, const Metadata& extra = {},
                   const std::map<std::string, Array>& arrays = {}, bool overwrite = true);
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

// Writes any bytes as models are written. Without `flush` the file need not survive a power cut.
void write_file(const std::string& path, const void* data, size_t bytes, bool overwrite = true, bool flush = true);

// The architecture alone, as JSON.
std::string architecture_json(const Model& model);
Model model_from_json(const std::string& json, uint64_t seed);

}  // namespace striate STRIATE_API
