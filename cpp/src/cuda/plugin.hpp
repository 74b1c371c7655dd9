// The table of C functions between the library and the CUDA plugin. The plugin is a shared library of its own, opened
// at run time: the library itself links nothing of CUDA. Both sides are compiled from the same version of this header.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "kernels/rows.hpp"

namespace striate::cuda {

// Of the structs below.
constexpr uint32_t kLayout = 2;

enum class Status : int32_t {
    ok,
    no_driver,   // no NVIDIA driver on this machine
    old_driver,  // the driver is older than the runtime that the plugin was built with
    no_device,   // the driver sees no device, or none of this number
    old_chip,    // the plugin has no code for this chip
    no_memory,   // of the device
    lost,        // a kernel or the device failed; nothing works there until the process ends
    failed,      // this call alone
};

// What a function that failed says.
struct Failure {
    char text[512];
};

struct Chip {
    char name[256];
    int32_t major, minor;  // compute capability
    uint64_t memory;       // bytes
    int32_t runtime;       // version of the CUDA runtime in the plugin, 1000 * major + 10 * minor
    int32_t driver;        // version of CUDA that the driver supports, likewise
};

// Every function that returns a Status writes `failure` unless that is Status::ok. Functions of a device may be called
// by several threads. Copies and kernels of a device take place in the order in which they were asked for.
struct Plugin {
    uint32_t layout;
    const char* version;    // of striate
    const char* toolchain;  // such as "13.0" or "emulated"
    // For each row of kernels.inc, in order: the size of its arguments, and whether there is a kernel.
    uint32_t row_count;
    const uint32_t* argument_sizes;
    const uint8_t* has;

    Status (*count)(int32_t* devices, Failure* failure);
    // Called once for each device, before all else.
    Status (*open)(int32_t device, Chip* chip, Failure* failure);
    // Memory that holds zeros.
    Status (*allocate)(int32_t device, size_t bytes, void** memory, Failure* failure);
    void (*release)(int32_t device, void* memory);
    Status (*clear)(int32_t device, void* memory, size_t bytes, Failure* failure);
    // Returns when `from` may be changed.
    Status (*upload)(int32_t device, void* to, const void* from, size_t bytes, Failure* failure);
    // Returns when the bytes are there.
    Status (*download)(int32_t device, void* to, const void* from, size_t bytes, Failure* failure);
    // `arguments` are those of the row, with pointers to memory of the device; they are copied.
    Status (*launch)(int32_t device, uint16_t row, const void* arguments, Failure* failure);
    // `count` launches as one graph, which replay() starts as often as it is wanted. Their arguments are copied.
    Status (*record)(int32_t device, uint32_t count, const uint16_t* rows, const void* const* arguments, void** graph,
                     Failure* failure);
    Status (*replay)(int32_t device, void* graph, Failure* failure);
    void (*drop)(int32_t device, void* graph);
    // Waits for all that was asked for.
    Status (*wait)(int32_t device, Failure* failure);
};

// The function that a plugin exports.
constexpr const char* kEntry = "striate_cuda_plugin";
using Entry = const Plugin* (*)();

}  // namespace striate::cuda
