#include "running/device_run.hpp"

#include <algorithm>
#include <stdexcept>

#include "planning/kernel_call.hpp"
#include "running/recorder.hpp"
#include "striate/error.hpp"

namespace striate {

DeviceRun::DeviceRun(const Accelerator& device, std::vector<Region> regions, std::vector<Place> places,
                     AlignedBuffer& own)
    : device_(device),
      regions_(std::move(regions)),
      places_(std::move(places)),
      own_(own),
      own_on_device_(device, own.size()),
      tensors_(places_.size()) {}

void DeviceRun::use(std::byte* arena, DeviceMemory& on_device, size_t bytes) {
    if (on_device.device() != &device_ || on_device.size() < bytes) {
        on_device = DeviceMemory();  // before the larger one is made
        on_device = DeviceMemory(device_, bytes);
    } else {
        device_.clear(on_device.data(), bytes);
    }
    arena_ = arena;
    arena_on_device_ = on_device.data();
    for (Region& region : regions_)
        if (!region.outside && !region.own) region.current = Current::both;
    follow();
}

bool DeviceRun::moved() const {
    for (const Region& region : regions_)
        if (region.outside && region.outside->on(device_) != region.place) return true;
    return false;
}

void DeviceRun::follow() {
    for (Region& region : regions_)
        if (region.outside) region.place = region.outside->on(device_);
    segments_.clear();
    for (size_t i = 0; i < places_.size(); ++i) {
        const Region& region = regions_[places_[i].region];
        std::byte* const begin =
            region.outside ? region.place : (region.own ? own_on_device_.data() : arena_on_device_) + region.offset;
        tensors_[i] = begin + places_[i].shift;
    }
}

void DeviceRun::touch(Region& region, bool on_device, bool write) {
    if (region.outside) {
        if (on_device) {
            write ? region.outside->change_on(device_) : region.outside->read_on(device_);
        } else {
            write ? static_cast<void>(region.outside->change()) : static_cast<void>(region.outside->read());
        }
        return;
    }
    if (region.bytes == 0) return;
    const Current here = on_device ? Current::device : Current::host;
    if (region.current != Current::both && region.current != here) {
        std::byte* const host = (region.own ? own_.data() : arena_) + region.offset;
        std::byte* const there = (region.own ? own_on_device_.data() : arena_on_device_) + region.offset;
        if (on_device) {
            device_.upload(there, host, region.bytes);
        } else {
            device_.download(host, there, region.bytes);
        }
        region.current = Current::both;
    }
    if (write) region.current = here;
}

// What is written is brought too: a step may write a part of it.
void DeviceRun::touch(const ScheduledStep& step) {
    for (const TensorId id : step.reads) touch(regions_[places_[id.index].region], step.on_device, false);
    for (const TensorId id : step.writes) touch(regions_[places_[id.index].region], step.on_device, true);
}

Launch DeviceRun::launch_of(const ScheduledStep& step) const {
    return {step.call->row, step.arguments, step.call->arguments.size(), step.units, step.call->scratch, step.scratch};
}

void DeviceRun::launch(const ScheduledStep& step) const {
    try {
        device_.launch(launch_of(step));
    } catch (const std::runtime_error& error) {
        throw std::runtime_error(concat("[", step.layer, "] ", step.what, ": ", error.what()));
    }
}

// How many steps from `begin` on can be started together. Arguments with random numbers differ from run to run.
size_t DeviceRun::segment_length(const std::vector<ScheduledStep>& steps, size_t begin, size_t end,
                                 bool with_output) const {
    size_t i = begin;
    while (i < end && steps[i].on_device && steps[i].call->random == KernelCall::kNone &&
           (with_output || !steps[i].for_output))
        ++i;
    return i - begin;
}

// Memory that a step of the segment reads is brought before the segment: nothing changes it in between.
void DeviceRun::run_segment(Segment& segment) {
    const ScheduledStep* const end = segment.begin + segment.count;
    for (const ScheduledStep* step = segment.begin; step != end; ++step) touch(*step);
    if (segment.seen && !segment.recording) {
        std::vector<Launch> launches;
        for (const ScheduledStep* step = segment.begin; step != end; ++step) launches.push_back(launch_of(*step));
        segment.recording = device_.record(launches);
    }
    if (segment.recording) {
        segment.recording->launch();
    } else {
        for (const ScheduledStep* step = segment.begin; step != end; ++step) launch(*step);
    }
    segment.seen = true;
}

void DeviceRun::run(const std::vector<ScheduledStep>& steps, size_t begin, size_t end, const Frame& frame,
                    bool with_output, size_t scratch, AlignedBuffer& memory, Executor& executor, Recorder* recorder) {
    for (size_t i = begin; i < end;) {
        const ScheduledStep& step = steps[i];
        if (step.for_output && !with_output) {
            ++i;
            continue;
        }
        const size_t together = recorder ? 0 : segment_length(steps, i, end, with_output);
        if (together > 1) {
            auto found = std::find_if(segments_.begin(), segments_.end(), [&](const Segment& known) {
                return known.begin == &step && known.count == together;
            });
            if (found == segments_.end()) {
                segments_.push_back({&step, together, false, nullptr});
                found = segments_.end() - 1;
            }
            run_segment(*found);
            i += together;
            continue;
        }
        touch(step);
        if (step.on_device) {
            const Recorder::Clock::time_point began = Recorder::Clock::now();
            launch(step);
            if (recorder) recorder->note(i, 0, began, Recorder::Clock::now());
        } else {
            executor.run(steps, i, i + 1, frame, with_output, scratch, memory, recorder);
        }
        ++i;
    }
}

void DeviceRun::bring_to_host(TensorId tensor) {
    touch(regions_[places_[tensor.index].region], false, false);
}

}  // namespace striate
