// Runs the steps of a plan on an accelerator. A step whose kernel the accelerator lacks, and a function, run on the
// CPU. Each piece of memory is copied when the other side is to use it.
#pragma once

#include <vector>

#include "cpu/executor.hpp"
#include "device/memory.hpp"
#include "striate/plan.hpp"

namespace striate {

class DeviceRun {
  public:
    // A piece of memory that one or more tensors are views of: all of `outside`, or `bytes` of one of the plan's two
    // arenas.
    struct Region {
        Mirrored* outside;
        bool own;
        size_t offset, bytes;
        Current current = Current::both;
        std::byte* place = nullptr;  // on the device, of `outside`
    };
    // Where a tensor is: so many bytes behind the beginning of a region.
    struct Place {
        size_t region, shift;
    };

    // `places` are of the tensors by their ids; `own` is the plan's own arena.
    DeviceRun(const Accelerator& device, std::vector<Region> regions, std::vector<Place> places, AlignedBuffer& own);

    // Runs in this arena from now on, of which both sides have nothing but halos of zeros.
    void use(std::byte* arena, DeviceMemory& on_device, size_t bytes);
    // Whether memory that is not the plan's has another place on the device than use() or follow() found. follow()
    // finds the new ones.
    bool moved() const;
    void follow();
    // Of the tensors on the device; they change with use() and follow().
    const std::vector<std::byte*>& tensors() const { return tensors_; }
    const Accelerator& device() const { return device_; }

    void run(const std::vector<ScheduledStep>& steps, size_t begin, size_t end, const Frame& frame, bool with_output,
             size_t scratch, AlignedBuffer& memory, Executor& executor, Recorder* recorder);
    // Before the host reads a tensor that a run left.
    void bring_to_host(TensorId tensor);

  private:
    // The steps [begin, end) are of the device, without random numbers, one after another.
    struct Segment {
        const ScheduledStep* begin;
        size_t count;
        bool seen = false;  // launched one by one, once
        std::unique_ptr<Recording> recording;
    };
    Launch launch_of(const ScheduledStep& step) const;
    void launch(const ScheduledStep& step) const;
    void run_segment(Segment& segment);
    size_t segment_length(const std::vector<ScheduledStep>& steps, size_t begin, size_t end, bool with_output) const;

    void touch(const ScheduledStep& step);
    void touch(Region& region, bool on_device, bool write);

    const Accelerator& device_;
    std::vector<Region> regions_;
    std::vector<Place> places_;
    AlignedBuffer& own_;
    DeviceMemory own_on_device_;
    std::byte* arena_ = nullptr;
    std::byte* arena_on_device_ = nullptr;
    std::vector<std::byte*> tensors_;
    std::vector<Segment> segments_;  // that were met so far, with the tensors where they are now
};

}  // namespace striate
