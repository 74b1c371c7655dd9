// The plugin's kernels as a table that takes memory of the host: each call copies what its pointers lead to, runs the
// kernel in three orders of threads, wants the same bits of each, and copies back. Tests of kernels then check the
// device's as they check those of an instruction set.
#pragma once

#include <vector>

#include "kernels/table.hpp"

namespace check {

std::vector<const striate::kernels::Table*> device_tables();

}  // namespace check
