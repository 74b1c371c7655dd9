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

// All that were compiled in, best first.
const std::vector<Implementation>& implementations();

// The names of those that run on this machine, best first.
std::vector<std::string> available_isas();

// The active table: the best that runs here, or the one that STRIATE_ISA names. Throws std::invalid_argument when
// STRIATE_ISA names one that is unknown or does not run on this machine.
const kernels::Table& kernels();

}  // namespace striate::dispatch
