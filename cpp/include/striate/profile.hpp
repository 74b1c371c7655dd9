// Where the time of a pass goes: every step of its plan, with a clock. See Model::profile and Trainer::profile.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "striate/export.hpp"

namespace striate STRIATE_API {

struct Profile {
    struct Step {
        std::string layer;  // empty for what belongs to no layer: targets, loss, update
        const char* what;
        const char* pass;     // "input", "forward", "loss", "backward", "update"
        double flops, bytes;  // of a run; bytes as if each tensor were read or written once
        bool shared;          // by all threads; otherwise one does it
    };
    // Seconds from the beginning of the first run. `begin` is negative for what a run left out, and for a thread that
    // had no part in a step.
    struct Span {
        double begin = -1.0, end = -1.0;
    };

    std::vector<Step> steps;
    int threads = 1;
    std::vector<Span> runs;
    std::vector<Span> spans;  // of each run, step and thread, the last fastest
};

// Called before each run; an exception ends the profile.
using BeforeRun = std::function<void()>;

// What the machine does at best on all threads, measured with the library's own kernels.
struct MachineLimits {
    struct Copy {
        double bytes, bytes_per_second;  // both halves: read and written
    };
    double flops_per_second = 0;  // multiply-adds in registers, two operations each
    std::vector<Copy> copies;     // of growing size
};

MachineLimits measure_limits();

}  // namespace striate STRIATE_API
