#include "dispatch/dispatch.hpp"

#include <cstdlib>
#include <stdexcept>

#include "dispatch/x86.hpp"

namespace striate::kernels {
namespace avx512 {
extern const Table table;
}
namespace avx2 {
extern const Table table;
}
namespace neon {
extern const Table table;
}
namespace scalar {
extern const Table table;
}
}  // namespace striate::kernels

namespace striate::dispatch {
namespace {

[[maybe_unused]] bool always() {
    return true;
}

#ifdef STRIATE_WITH_AVX2
bool has_avx2() {
    return x86_features().avx2;
}
#endif
#ifdef STRIATE_WITH_AVX512
bool has_avx512() {
    return x86_features().avx512;
}
#endif

const kernels::Table& choose() {
    const char* forced = std::getenv("STRIATE_ISA");
    for (const Implementation& candidate : implementations()) {
        if (forced && *forced && std::string(forced) != candidate.table->isa) continue;
        if (candidate.supported()) return *candidate.table;
    }
    std::string names;
    for (const std::string& name : available_isas()) names += (names.empty() ? "" : ", ") + name;
    throw std::invalid_argument("STRIATE_ISA=" + std::string(forced) +
                                " is not available on this machine; choose one of: " + names + ", or unset it");
}

}  // namespace

const std::vector<Implementation>& implementations() {
    static const std::vector<Implementation> all = {
#ifdef STRIATE_WITH_AVX512
        {&kernels::avx512::table, has_avx512},
#endif
#ifdef STRIATE_WITH_AVX2
        {&kernels::avx2::table, has_avx2},
#endif
#ifdef STRIATE_WITH_NEON
        {&kernels::neon::table, always},
#endif
#ifdef STRIATE_WITH_SCALAR
        {&kernels::scalar::table, always},
#endif
    };
    return all;
}

std::vector<std::string> available_isas() {
    std::vector<std::string> names;
    for (const Implementation& candidate : implementations())
        if (candidate.supported()) names.push_back(candidate.table->isa);
    return names;
}

const kernels::Table& kernels() {
    static const kernels::Table& active = choose();
    return active;
}

}  // namespace striate::dispatch
