// Between the emulator's two halves, and what its tests ask of it.
#pragma once

#include <cstddef>
#include <string>

#include "cuda_runtime.h"

namespace emulator {

// Runs all blocks. Returns the error that a GPU would give, with what is wrong in `failure`.
cudaError_t run_grid(const Call& call, dim3 grid, dim3 threads, const char* kernel, std::string& failure);

}  // namespace emulator

// Exported, so that tests reach them in the plugin.
#pragma GCC visibility push(default)
extern "C" {
// The `after`th call of the runtime from now on gives `error`; the next is 1. 0: none does.
void emulator_fail(int after, int error);
// Calls of the runtime so far.
long emulator_calls();
// Bytes that are allocated on the devices.
size_t emulator_allocated();
// Graphs that were not destroyed.
size_t emulator_graphs();
// Forgets an error that stays on a GPU until the process ends.
void emulator_reset();
}
#pragma GCC visibility pop
