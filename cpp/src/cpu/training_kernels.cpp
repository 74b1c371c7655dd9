// Apart from dispatch.cpp, since this is what makes the linker take the kernels of training.
#include <cstring>

#include "cpu/dispatch.hpp"
#include "striate/runtime.hpp"

namespace striate::kernels {
#define STRIATE_BUILT(isa, runs) \
    namespace isa {              \
    extern const Table table;    \
    }
#define STRIATE_OVERLAY(isa, base, runs) \
    namespace isa {                      \
    extern const Table rows;             \
    }
#include "isas.inc"
#undef STRIATE_BUILT
#undef STRIATE_OVERLAY
}  // namespace striate::kernels

namespace striate::dispatch {

const std::vector<Implementation>& implementations() {
    static const std::vector<Implementation>& all = *[] {
        auto* complete = new std::vector<Implementation>(inference_implementations());
        size_t i = 0;
#define STRIATE_BUILT(isa, runs) (*complete)[i++].table = &kernels::isa::table;
#define STRIATE_OVERLAY(isa, base, runs) \
    (*complete)[i++].table = new kernels::Table(with_overlay(kernels::base::table, kernels::isa::rows));
#include "isas.inc"
#undef STRIATE_BUILT
#undef STRIATE_OVERLAY
        return complete;
    }();
    return all;
}

void use_training_kernels() {
    const char* const isa = kernels().isa;
    for (const Implementation& candidate : implementations())
        if (std::strcmp(candidate.table->isa, isa) == 0) replace_table(*candidate.table);
}

}  // namespace striate::dispatch

namespace striate {

void use_training_kernels() {
    dispatch::use_training_kernels();
}

}  // namespace striate
