// Compiled once per ISA: the tables of that ISA's kernels.
#include "kernels/table.hpp"
#include "kernels/simd.hpp"

#define STRIATE_NAME_(isa) #isa
#define STRIATE_NAME(isa) STRIATE_NAME_(isa)

namespace striate::kernels::STRIATE_ISA {

#define STRIATE_KERNEL(name, Args) void name(const Args&, int64_t begin, int64_t end);
#include "kernels/kernels.inc"
#undef STRIATE_KERNEL

extern const Table table;
const Table table = {
    STRIATE_NAME(STRIATE_ISA),
    kWidth,
#define STRIATE_KERNEL(name, Args) &name,
#include "kernels/kernels.inc"
#undef STRIATE_KERNEL
};

// Refers to no kernel of training, so that the linker can leave them out.
extern const Table inference_table;
const Table inference_table = {
    STRIATE_NAME(STRIATE_ISA),
    kWidth,
#define STRIATE_KERNEL(name, Args) &name,
#define STRIATE_TRAINING_KERNEL(name, Args) nullptr,
#include "kernels/kernels.inc"
#undef STRIATE_KERNEL
};

}  // namespace striate::kernels::STRIATE_ISA
