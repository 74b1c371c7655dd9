// Apart from dispatch.cpp, since this is what makes the linker take the kernels of training.
#include <cstring>

#include "dispatch/dispatch.hpp"

namespace striate::kernels {
#define STRIATE_BUILT(isa)    \
    namespace isa {           \
    extern const Table table; \
    }
#include "isas.inc"
#undef STRIATE_BUILT
}  // namespace striate::kernels

namespace striate::dispatch {

const std::vector<Implementation>& implementations() {
    static const std::vector<Implementation>& all = *[] {
        auto* complete = new std::vector<Implementation>(inference_implementations());
        size_t i = 0;
#define STRIATE_BUILT(isa) (*complete)[i++].table = &kernels::isa::table;
#include "isas.inc"
#undef STRIATE_BUILT
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
