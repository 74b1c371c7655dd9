// Mutations that keep inputs valid, so that fuzzing reaches the code behind the parsers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>

#include "io/json.hpp"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace fuzz {

using Random = std::minstd_rand;

// Changes one place of the value: a number, a string, an element or a member. Where the value is an architecture, it
// often adds a layer.
void mutate_json(striate::io::Json& json, Random& random);

// LLVMFuzzerCustomMutator for inputs that are JSON text.
size_t mutate_json_text(uint8_t* data, size_t size, size_t max_size, unsigned seed);
// For safetensors files: changes the header, the JSON texts in its metadata, or the data.
size_t mutate_safetensors(uint8_t* data, size_t size, size_t max_size, unsigned seed);

}  // namespace fuzz
