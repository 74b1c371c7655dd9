// An accelerator for tests: memory of its own, which is closed to the host but for copies and kernels; the CPU's
// kernels, but only those that are chosen; counters of what moves.
#pragma once

#include <sys/mman.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <new>
#include <vector>

#include "cpu/cpu.hpp"
#include "device/device.hpp"
#include "planning/kernel_call.hpp"

namespace striate::test {

class TrivialDevice final : public Accelerator {
  public:
    // `has` says for each row whether the device has it.
    explicit TrivialDevice(std::function<bool(kernels::Row)> has) : has_(std::move(has)) {}

    const char* name() const override { return "trivial"; }
    bool has(kernels::Row row) const override { return cpu().has(row) && has_(row); }
    Rules rules() const override { return cpu().rules(); }

    std::byte* allocate(size_t bytes) const override {
        const size_t whole = (bytes / kPage + 1) * kPage;  // no bytes get memory too
        void* const memory = mmap(nullptr, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) throw std::bad_alloc();
        const std::lock_guard<std::mutex> lock(mutex_);
        blocks_[static_cast<std::byte*>(memory)] = whole;
        return static_cast<std::byte*>(memory);
    }
    void release(std::byte* memory) const noexcept override {
        const std::lock_guard<std::mutex> lock(mutex_);
        munmap(memory, blocks_[memory]);
        blocks_.erase(memory);
    }
    void clear(std::byte* memory, size_t bytes) const override {
        const Open open(*this);
        std::memset(memory, 0, bytes);
    }
    void upload(std::byte* to, const std::byte* from, size_t bytes) const override {
        const Open open(*this);
        std::memcpy(to, from, bytes);
        ++uploads;
    }
    void download(std::byte* to, const std::byte* from, size_t bytes) const override {
        const Open open(*this);
        std::memcpy(to, from, bytes);
        ++downloads;
    }
    void launch(const Launch& launch) const override {
        std::vector<std::byte> arguments(launch.arguments, launch.arguments + launch.size),
            scratch(launch.scratch + 64);
        if (launch.scratch_field != KernelCall::kNone) {
            const auto place = reinterpret_cast<uintptr_t>(scratch.data());
            const uintptr_t aligned = (place + 63) / 64 * 64;
            std::memcpy(arguments.data() + launch.scratch_field, &aligned, sizeof aligned);
        }
        const Open open(*this);
        kernels::invoker(launch.row)(cpu().table(), arguments.data(), 0, launch.units);
        ++launches;
    }

    size_t blocks() const { return blocks_.size(); }  // of memory that is not released

    mutable std::atomic<int> uploads{0}, downloads{0}, launches{0};

  private:
    // The device's memory is open while this lives; one at a time.
    class Open {
      public:
        explicit Open(const TrivialDevice& device) : lock_(device.mutex_), device_(device) {
            protect(PROT_READ | PROT_WRITE);
        }
        ~Open() { protect(PROT_NONE); }

      private:
        void protect(int access) const {
            for (const auto& [memory, bytes] : device_.blocks_) mprotect(memory, bytes, access);
        }
        std::lock_guard<std::mutex> lock_;
        const TrivialDevice& device_;
    };

    static constexpr size_t kPage = size_t{1} << 16;  // a multiple of every system's

    std::function<bool(kernels::Row)> has_;
    mutable std::mutex mutex_;
    mutable std::map<std::byte*, size_t> blocks_;
};

}  // namespace striate::test
