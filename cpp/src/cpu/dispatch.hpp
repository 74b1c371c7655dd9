// Which instruction set the kernels use: chosen once, at load, by what the CPU and the operating system support.
#pragma once

#include <string>
#include <vector>

#include "kernels/table.hpp"

namespace striate::dispatch {

struct Implementation {
    const kernels::Table* table;
    bool (*supported)();
};

// The kernels of `overlay`, and those of `base` where `overlay` is null. The name is that of `overlay`. The vector
// width is that of `base`: all kernels of a table must agree on how weights are packed.
kernels::Table with_overlay(const kernels::Table& base, const kernels::Table& overlay);

// All that were compiled in, best first: with every kernel, and with those of training null.
const std::vector<Implementation>& implementations();
const std::vector<Implementation>& inference_implementations();

// The names of those that run on this machine, best first.
std::vector<std::string> available_isas();

// The active table: the best that runs here, or the one that STRIATE_ISA names. Throws std::invalid_argument when
// STRIATE_ISA names one that is unknown or does not run on this machine. Until the first call of use_training_kernels()
// the rows of training are null.
const kernels::Table& kernels();

// Code that trains, takes gradients or augments images calls this before it asks for a kernel. What never calls it, a
// program that only predicts, is linked without the kernels of training: two thirds of them all.
void use_training_kernels();

// For use_training_kernels(): what kernels() gives from now on.
void replace_table(const kernels::Table& table);

}  // namespace striate::dispatch
