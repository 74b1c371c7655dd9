// Memory of accelerators, and memory of the host that they have a copy of.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <utility>

#include "device/device.hpp"
#include "forks.hpp"
#include "striate/tensor.hpp"

namespace striate {

// Which of two copies is as it should be.
enum class Current { both, host, device };

class DeviceMemory {
  public:
    DeviceMemory() = default;
    DeviceMemory(const Accelerator& device, size_t bytes)
        : device_(&device), data_(device.allocate(bytes)), size_(bytes) {}
    DeviceMemory(DeviceMemory&& other) noexcept { swap(other); }
    DeviceMemory& operator=(DeviceMemory&& other) noexcept {
        DeviceMemory taken(std::move(other));
        swap(taken);
        return *this;
    }
    ~DeviceMemory() {
        if (data_) device_->release(data_);
    }

    const Accelerator* device() const { return device_; }
    std::byte* data() const { return data_; }
    size_t size() const { return size_; }

  private:
    void swap(DeviceMemory& other) noexcept {
        std::swap(device_, other.device_);
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
    }

    const Accelerator* device_ = nullptr;
    std::byte* data_ = nullptr;
    size_t size_ = 0;
};

// Memory of the host with a copy on one accelerator, once that is asked for. Callers see to it that nobody writes while
// others read; reading from several threads is allowed, though it may move data.
class Mirrored {
  public:
    Mirrored() = default;
    explicit Mirrored(size_t bytes) : host_(bytes) {}
    // Of memory that no other thread uses.
    Mirrored(Mirrored&& other) noexcept { *this = std::move(other); }
    Mirrored& operator=(Mirrored&& other) noexcept {
        host_ = std::move(other.host_);
        copy_ = std::move(other.copy_);
        current_ = std::exchange(other.current_, Current::both);
        has_copy_ = other.has_copy_.exchange(false);
        return *this;
    }

    size_t size() const { return host_.size(); }
    // The host's side, whatever it holds; stays where it is.
    std::byte* host() const { return const_cast<std::byte*>(host_.data()); }

    // The host's side with what was written last, to read it or to write parts of it.
    const std::byte* read();
    std::byte* change();
    // Whether there is a copy: if not, nothing need be done before the host's side is used.
    bool has_copy() const { return has_copy_.load(std::memory_order_acquire); }
    // The same on the device, whose memory for it is made by the first call. After another device was used, the host
    // has what was written last.
    std::byte* on(const Accelerator& device);
    void read_on(const Accelerator& device);
    void change_on(const Accelerator& device);
    // Releases the copy, after the host got what was written last. A user of the copy must ask for it anew.
    void leave_device();

  private:
    void bring(Current side);

    AlignedBuffer host_;
    DeviceMemory copy_;
    Current current_ = Current::both;
    std::atomic<bool> has_copy_{false};
    std::mutex* moving_ = &forks::shared_mutex();
};

}  // namespace striate
