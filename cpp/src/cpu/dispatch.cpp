#include "cpu/dispatch.hpp"

#include <atomic>
#include <cstdlib>
#include <stdexcept>

#include "cpu/x86.hpp"

namespace striate::kernels {
#define STRIATE_BUILT(isa, runs)        \
    namespace isa {                     \
    extern const Table inference_table; \
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
namespace {

const kernels::Table& choose() {
    const char* forced = std::getenv("STRIATE_ISA");
    for (const Implementation& candidate : inference_implementations()) {
        if (forced && *forced && std::string(forced) != candidate.table->isa) continue;
        if (candidate.supported()) return *candidate.table;
    }
    std::string names;
    for (const std::string& name : available_isas()) names += (names.empty() ? "" : ", ") + name;
    throw std::invalid_argument("STRIATE_ISA=" + std::string(forced) +
                                " is not available on this machine; choose one of: " + names + ", or unset it");
}

// Atomic, since one thread may begin to train while another predicts.
std::atomic<const kernels::Table*>& active() {
    static std::atomic<const kernels::Table*> table{&choose()};
    return table;
}

}  // namespace

kernels::Table with_overlay(const kernels::Table& base, const kernels::Table& overlay) {
    kernels::Table table = base;
    table.isa = overlay.isa;
#define STRIATE_KERNEL(name, Args) \
    if (overlay.name) table.name = overlay.name;
#include "kernels/kernels.inc"
#undef STRIATE_KERNEL
    return table;
}

const std::vector<Implementation>& inference_implementations() {
    // Never destroyed, as all objects of functions here: threads may still compute while a process ends.
    static const auto& all = *new std::vector<Implementation>{
#define STRIATE_BUILT(isa, runs) {&kernels::isa::inference_table, [] { return runs; }},
#define STRIATE_OVERLAY(isa, base, runs) \
    {new kernels::Table(with_overlay(kernels::base::inference_table, kernels::isa::rows)), [] { return runs; }},
#include "isas.inc"
#undef STRIATE_BUILT
#undef STRIATE_OVERLAY
    };
    return all;
}

std::vector<std::string> available_isas() {
    std::vector<std::string> names;
    for (const Implementation& candidate : inference_implementations())
        if (candidate.supported()) names.push_back(candidate.table->isa);
    return names;
}

const kernels::Table& kernels() {
    return *active();
}

void replace_table(const kernels::Table& table) {
    active() = &table;
}

}  // namespace striate::dispatch
