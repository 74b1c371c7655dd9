// Memory that plans run in, one after the other.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "device/memory.hpp"
#include "striate/tensor.hpp"

namespace striate {

class Plan;

// The memory of what a plan computes within one run. It grows to the size that the largest plan needs and is then used
// by smaller plans too, so that plans of several batch sizes take no more memory than the largest of them.
struct Workspace {
    AlignedBuffer arena;     // values and gradients
    DeviceMemory on_device;  // the arena's copy, of plans on an accelerator
    AlignedBuffer scratch;   // of the threads
    AlignedBuffer given;     // what the plan reads, where other plans make it
    uint64_t user = 0;       // number of the plan that ran in it last; 0: none

    size_t bytes() const { return arena.size() + scratch.size() + given.size(); }
};

// Drops idle plans, which are sorted from the most to the least recently used. Plans keep prepared weights of their
// own, so their number is bounded, and their bytes are too: beyond the `always` most recent requests, only plans within
// the budget that belongs to this workspace are kept.
void drop_idle(std::vector<std::unique_ptr<Plan>>& plans, size_t always, const Workspace& workspace);

}  // namespace striate
