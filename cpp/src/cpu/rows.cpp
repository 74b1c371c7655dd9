#include "kernels/rows.hpp"

namespace striate::kernels {
namespace {

constexpr const char* kNames[] = {
#define STRIATE_KERNEL(name, Args) #name,
#include "kernels/kernels.inc"
#undef STRIATE_KERNEL
};

#define STRIATE_KERNEL(name, Args)                                                              \
    void invoke_##name(const Table& table, const void* arguments, int64_t begin, int64_t end) { \
        table.name(*static_cast<const Args*>(arguments), begin, end);                           \
    }
#include "kernels/kernels.inc"
#undef STRIATE_KERNEL

constexpr Invoke kInvokers[] = {
#define STRIATE_KERNEL(name, Args) &invoke_##name,
#include "kernels/kernels.inc"
#undef STRIATE_KERNEL
};

using HasRow = bool (*)(const Table&);
constexpr HasRow kHas[] = {
#define STRIATE_KERNEL(name, Args) [](const Table& table) { return table.name != nullptr; },
#include "kernels/kernels.inc"
#undef STRIATE_KERNEL
};

}  // namespace

const char* name_of(Row row) {
    return kNames[static_cast<size_t>(row)];
}

bool has(const Table& table, Row row) {
    return kHas[static_cast<size_t>(row)](table);
}

Invoke invoker(Row row) {
    return kInvokers[static_cast<size_t>(row)];
}

}  // namespace striate::kernels
