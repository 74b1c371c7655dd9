#include "device/memory.hpp"

#include <stdexcept>

#include "striate/error.hpp"

namespace striate {

// With the lock held.
void Mirrored::bring(Current side) {
    if (current_ == Current::both || current_ == side || host_.size() == 0) return;
    const Accelerator& device = *copy_.device();
    if (side == Current::host) {
        if (device.lost()) {
            current_ = Current::host;
            throw std::runtime_error(concat(
                device.name(), " was lost, and with it what training changed there since weights were last read; the ",
                "model has the values of that time now: load weights, or go on with these on another device"));
        }
        device.download(host_.data(), copy_.data(), host_.size());
    } else {
        device.upload(copy_.data(), host_.data(), host_.size());
    }
    current_ = Current::both;
}

const std::byte* Mirrored::read() {
    const std::lock_guard<std::mutex> lock(*moving_);
    if (copy_.data()) bring(Current::host);
    return host_.data();
}

std::byte* Mirrored::change() {
    const std::lock_guard<std::mutex> lock(*moving_);
    if (copy_.data()) {
        bring(Current::host);
        current_ = Current::host;
    }
    return host_.data();
}

std::byte* Mirrored::on(const Accelerator& device) {
    const std::lock_guard<std::mutex> lock(*moving_);
    if (copy_.device() != &device) {
        if (copy_.data()) bring(Current::host);
        copy_ = DeviceMemory(device, host_.size());
        current_ = Current::host;
        has_copy_ = true;
    }
    return copy_.data();
}

void Mirrored::read_on(const Accelerator& device) {
    on(device);
    const std::lock_guard<std::mutex> lock(*moving_);
    bring(Current::device);
}

void Mirrored::change_on(const Accelerator& device) {
    on(device);
    const std::lock_guard<std::mutex> lock(*moving_);
    bring(Current::device);
    current_ = Current::device;
}

void Mirrored::leave_device() {
    const std::lock_guard<std::mutex> lock(*moving_);
    if (!copy_.data()) return;
    struct Release {
        ~Release() {
            copy = DeviceMemory();
            current = Current::both;
            has_copy = false;
        }
        DeviceMemory& copy;
        Current& current;
        std::atomic<bool>& has_copy;
    } const release{copy_, current_, has_copy_};
    bring(Current::host);
}

}  // namespace striate
