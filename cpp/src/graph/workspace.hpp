// Memory that plans run in, one after the other.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "striate/tensor.hpp"

namespace striate {

class Plan;

// The memory of what a plan computes within one run. It grows to the size that the largest plan needs and is then used
// by smaller plans too, so that plans of several batch sizes take no more memory than the largest of them.
struct Workspace {
    AlignedBuffer arena;    // values and gradients
    AlignedBuffer scratch;  // of the threads
    uint64_t user = 0;      // number of the plan that ran in it last; 0: none

    size_t bytes() const { return arena.size() + scratch.size(); }
};

// Drops idle plans, which are sorted from the most to the least recently used. Plans keep prepared weights of their
// own, so their number is bounded, and their bytes are too: beyond the `always` most recent requests, only plans within
// the budget that belongs to this workspace are kept.
void drop_idle(std::vector<std::unique_ptr<Plan>>& plans, size_t always, const Workspace& workspace);

}  // namespace striate
