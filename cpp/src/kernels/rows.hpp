// Names of the rows of a table of kernels, so that a step can say which kernel it calls as data. Not included by kernel
// sources.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/table.hpp"

namespace striate::kernels {

enum class Row : uint16_t {
#define STRIATE_KERNEL(name, Args) name,
#include "kernels/kernels.inc"
#undef STRIATE_KERNEL
    count,
};

// A row together with the type of its arguments.
template <class Args>
struct Kernel {
    Row row;
};

// The rows by their names: K::conv.
struct K {
#define STRIATE_KERNEL(name, Args) static constexpr Kernel<Args> name{Row::name};
#include "kernels/kernels.inc"
#undef STRIATE_KERNEL
};

// The size of the largest struct of arguments.
constexpr size_t kMaxArguments = [] {
    size_t largest = 0;
#define STRIATE_KERNEL(name, Args) largest = largest < sizeof(Args) ? sizeof(Args) : largest;
#include "kernels/kernels.inc"
#undef STRIATE_KERNEL
    return largest;
}();

const char* name_of(Row row);

// Whether the table has this kernel.
bool has(const Table& table, Row row);

// Calls the row's kernel of the table with arguments that are at `arguments`.
using Invoke = void (*)(const Table& table, const void* arguments, int64_t begin, int64_t end);
Invoke invoker(Row row);

}  // namespace striate::kernels
