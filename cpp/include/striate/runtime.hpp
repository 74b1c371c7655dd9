// The process: version, instruction set, threads, seed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "striate/export.hpp"

namespace striate STRIATE_API {

struct RuntimeInfo {
    std::string version, compiler, isa, openmp;  // `openmp` is "none" when not built in
    std::vector<std::string> available_isas;
    int threads = 1;
};

RuntimeInfo runtime_info();

// Threads of each pass: by default STRIATE_NUM_THREADS, or else what the affinity mask and the container's quota allow.
// Results do not depend on it. A pass keeps to one while that is faster. Throws ValueError unless 1 <= count <= 1024.
void set_num_threads(int count);
int get_num_threads();

// The name of a device as Model::set_device() takes it, in full: "cuda:0" for "cuda"; of "", that of the device of new
// models. Throws as Model::set_device() does.
std::string checked_device(const std::string& name);
// The CUDA plugin and the first GPU, or why there is none of them; "none" without the plugin. It opens the plugin.
std::string cuda_description();
// Where the CUDA plugin is, for programs in whose environment STRIATE_CUDA_PLUGIN is not set; before the first use.
// Without either, the system looks for libstriate_cuda.so.
void set_cuda_plugin(const std::string& path);
// The library's kernels by their names, and whether the CUDA plugin has each; what it lacks, the CPU does. Throws
// std::runtime_error when there is no plugin.
std::vector<std::pair<std::string, bool>> cuda_kernels();

// Predictions need the kernels of training where a layer is called with Mode::training. A Trainer and Model::forward
// call it themselves. A program that calls none of the three is linked without these kernels.
void use_training_kernels();

// The seed of models and trainers that are given none. Each of them then takes the next number of a sequence that
// starts here, so that a script that begins with set_seed gives the same bits at every run.
void set_seed(uint64_t seed);
uint64_t next_seed();

// Called with warnings, such as that no further thread could be started, on the thread that computes. It may throw; the
// call that was under way then ends with that exception. Without a handler, warnings go to the standard error stream.
using WarningHandler = std::function<void(const std::string& message)>;
void set_warning_handler(WarningHandler handler);
// Passes a warning to the handler.
void warn(const std::string& message);

// How many of `count` further threads can be started now: limits of a user or of a container allow so many. It starts
// them, and waits until they are gone.
int startable_threads(int count);
// Warns, once in a process, that no further thread could be started. `consequence` says how the work goes on.
void warn_of_few_threads(const std::string& consequence);

}  // namespace striate STRIATE_API
