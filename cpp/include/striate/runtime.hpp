// The process: version, instruction set, threads, seed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "striate/export.hpp"

namespace striate STRIATE_API {

struct RuntimeInfo {
    std::string version, compiler, isa, openmp, cuda;  // `openmp` and `cuda` are "none" when not built in
    std::vector<std::string> available_isas;
    int threads = 1;
};

RuntimeInfo runtime_info();

// Threads of each pass: by default STRIATE_NUM_THREADS, or else what the affinity mask and the container's quota allow.
// Results do not depend on it. A pass keeps to one while that is faster. Throws ValueError unless 1 <= count <= 1024.
void set_num_threads(int count);
int get_num_threads();

// The seed of models and trainers that are given none. Each of them then takes the next number of a sequence that
// starts here, so that a script that begins with set_seed gives the same bits at every run.
void set_seed(uint64_t seed);
uint64_t next_seed();

}  // namespace striate STRIATE_API
