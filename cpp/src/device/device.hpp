// What a plan runs on: which kernels there are, the rules by which work is cut for them, and the memory they work on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "device/rules.hpp"
#include "kernels/rows.hpp"

namespace striate {

class Accelerator;

class Device {
  public:
    Device() = default;
    virtual ~Device() = default;
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    virtual const char* name() const = 0;
    // Whether it has this kernel. What it lacks is done by the CPU.
    virtual bool has(kernels::Row row) const = 0;
    virtual Rules rules() const = 0;
    // Null: its kernels work on the host's memory, and the executor calls them.
    virtual const Accelerator* accelerator() const { return nullptr; }
};

// One call of a kernel on an accelerator.
struct Launch {
    kernels::Row row;
    const std::byte* arguments;  // with pointers into its memory
    size_t size;                 // of them, in bytes
    int64_t units;
    // Private memory that a thread of the CPU's kernel gets: the place of the pointer among the arguments, or
    // KernelCall::kNone, and the bytes.
    uint32_t scratch_field;
    size_t scratch;
};

// Calls of kernels that an accelerator starts together, again and again with the same arguments.
class Recording {
  public:
    virtual ~Recording() = default;
    virtual void launch() const = 0;
};

// A device whose kernels work on memory of its own, in the order in which they are launched. Every function may be
// called by several threads, and throws std::runtime_error when the device fails.
class Accelerator : public Device {
  public:
    const Accelerator* accelerator() const final { return this; }

    // Throws std::bad_alloc when there is no memory. It holds zeros.
    virtual std::byte* allocate(size_t bytes) const = 0;
    virtual void release(std::byte* memory) const noexcept = 0;
    virtual void clear(std::byte* memory, size_t bytes) const = 0;
    virtual void upload(std::byte* to, const std::byte* from, size_t bytes) const = 0;
    // Waits for the kernels that were launched before.
    virtual void download(std::byte* to, const std::byte* from, size_t bytes) const = 0;
    virtual void launch(const Launch& launch) const = 0;
    // Null: there is nothing to gain.
    virtual std::unique_ptr<Recording> record(const std::vector<Launch>&) const { return nullptr; }
    // Whether it failed for good, with all that was in its memory.
    virtual bool lost() const { return false; }
};

}  // namespace striate
