// The seam between the library and its hot loops: a table of plain functions, one instance per instruction set.
#pragma once

#include "kernels/args.hpp"

namespace striate::kernels {

struct Table {
    const char* isa;
    int vector_width;  // floats in a vector: decides how weights are packed
#define STRIATE_KERNEL(name, Args) void (*name)(const Args&, int64_t begin, int64_t end);
#include "kernels/kernels.inc"
#undef STRIATE_KERNEL
};

}  // namespace striate::kernels
