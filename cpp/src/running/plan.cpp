#include "running/plan.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <stdexcept>
#include <string>

#include "cpu/cpu.hpp"
#include "planning/kernel_call.hpp"
#include "striate/error.hpp"
#include "suggest.hpp"

namespace striate {
namespace {

bool switched_on(const char* variable) {
    const char* text = std::getenv(variable);
    if (!text || !*text) return true;
    const std::string value = text;
    require(value == "0" || value == "1", "the environment variable ", variable, " must be 0 or 1, got ", quoted(value),
            "; set it to one or unset it");
    return value == "1";
}

}  // namespace

PlanOptions PlanOptions::from_environment() {
    return {switched_on("STRIATE_FUSION"), switched_on("STRIATE_WINOGRAD")};
}

Plan::Plan() {
    static std::atomic<uint64_t> count{0};
    number_ = ++count;
}

void Plan::use(Workspace& workspace) {
    if (workspace_ == &workspace && workspace.user == number_) return;
    workspace.user = 0;
    if (workspace.arena.size() < shared_bytes_) {
        workspace.arena = AlignedBuffer();  // before the larger one is made
        workspace.arena = AlignedBuffer(shared_bytes_);
    } else {
        clear_halos(workspace.arena.data());
    }
    for (size_t i = 0; i < places_.size(); ++i)
        tensors_[i] = places_[i].fixed ? places_[i].fixed : workspace.arena.data() + places_[i].offset;
    if (device_run_) device_run_->use(workspace.arena.data(), workspace.on_device, shared_bytes_);
    bind();
    workspace_ = &workspace;
    workspace.user = number_;
}

void Plan::resolve() {
    constexpr size_t kAlign = alignof(std::max_align_t);
    size_t bytes = 0;
    for (std::vector<ScheduledStep>* list : {&prepare_, &steps_})
        for (ScheduledStep& s : *list)
            if (s.call) bytes += (s.call->arguments.size() + kAlign - 1) / kAlign * kAlign;
    arguments_ = AlignedBuffer(bytes);
    std::byte* at = arguments_.data();
    for (std::vector<ScheduledStep>* list : {&prepare_, &steps_})
        for (ScheduledStep& s : *list) {
            if (!s.call) continue;
            const KernelCall& call = *s.call;
            s.on_device = device_run_ && device_run_->device().has(call.row);
            if (!s.on_device) {
                if (!cpu().has(call.row))
                    fail("the step '", s.what, "' belongs to training; call use_training_kernels() before predict");
                s.table = &cpu().table();
                s.invoke = kernels::invoker(call.row);
            }
            s.arguments = at;
            std::memcpy(at, call.arguments.data(), call.arguments.size());
            at += (call.arguments.size() + kAlign - 1) / kAlign * kAlign;
        }
}

void Plan::bind() {
    for (std::vector<ScheduledStep>* list : {&prepare_, &steps_})
        for (ScheduledStep& s : *list) {
            if (!s.call) continue;
            for (const KernelCall::Pointer& p : s.call->pointers) {
                const std::vector<std::byte*>& tensors = s.on_device ? device_run_->tensors() : tensors_;
                const std::byte* const to = tensors[p.tensor.index] + p.shift;
                std::memcpy(s.arguments + p.field, &to, sizeof to);
            }
        }
}

void Plan::clear_halos(std::byte* arena) const {
    for (const HaloedMap& map : haloed_) {
        const Halo& halo = map.halo;
        const auto pixel = static_cast<size_t>(map.shape[3]) * map.element;
        const size_t left = halo.left * pixel, right = halo.right * pixel, inside = map.shape[2] * pixel;
        const size_t row = left + inside + right;
        std::byte* at = arena + map.offset;
        for (int64_t n = 0; n < map.shape[0]; ++n) {
            std::memset(at, 0, halo.top * row);
            at += halo.top * row;
            for (int64_t y = 0; y < map.shape[1]; ++y, at += row) {
                std::memset(at, 0, left);
                std::memset(at + left + inside, 0, right);
            }
            std::memset(at, 0, halo.bottom * row);
            at += halo.bottom * row;
        }
    }
}

void Plan::run(Section from, Section to, uint64_t seed, uint64_t iteration, int64_t first_row) {
    if (!device_run_) {
        bring_to_host();
    } else if (device_run_->moved()) {
        device_run_->follow();
        bind();
    }
    const Frame frame{tensors_.data(), seed, iteration, first_row};
    for (size_t i = sections_[from]; i < sections_[to]; ++i) {
        ScheduledStep& s = steps_[i];
        if (!s.call || s.call->random == KernelCall::kNone) continue;
        auto& source = *reinterpret_cast<kernels::RandomSource*>(s.arguments + s.call->random);
        source.seed = seed;
        source.step = static_cast<uint32_t>(iteration);
        source.first_row = first_row;
    }
    if (prepared_version_ != parameters_->version()) {
        const uint64_t version = parameters_->version();
        if (!prepare_.empty()) run_steps(prepare_, 0, prepare_.size(), frame, true, nullptr);
        prepared_version_ = version;
    }
    const bool with_output =
        std::any_of(data.outputs.begin(), data.outputs.end(), [](const float* p) { return p != nullptr; });
    run_steps(steps_, sections_[from], sections_[to], frame, with_output, recorder);
}

// Weights, gradients and arenas of the optimizer that another plan may have changed on a device.
void Plan::bring_to_host() {
    const bool changing = request_.training || (request_.backward && request_.weight_gradients);
    for (Mirrored* memory : outside_) {
        if (!memory->has_copy()) continue;
        if (changing) {
            memory->change();
        } else {
            memory->read();
        }
    }
}

void Plan::run_steps(const std::vector<ScheduledStep>& steps, size_t first, size_t last, const Frame& frame,
                     bool with_output, Recorder* to) {
    if (device_run_) {
        device_run_->run(steps, first, last, frame, with_output, scratch_, workspace_->scratch, executor_, to);
    } else {
        executor_.run(steps, first, last, frame, with_output, scratch_, workspace_->scratch, to);
    }
}

const std::byte* Plan::host_memory(TensorId tensor) {
    if (device_run_) device_run_->bring_to_host(tensor);
    return tensors_[tensor.index];
}

const double* Plan::loss_sums(size_t output) {
    const TensorId sums = loss_sums_[output];
    return sums.valid() ? reinterpret_cast<const double*>(host_memory(sums)) : nullptr;
}

double Plan::penalty() {
    if (!penalties_.valid()) return 0.0;
    const double* parts = reinterpret_cast<const double*>(host_memory(penalties_));
    const View& v = views_[penalties_.index];
    return std::accumulate(parts, parts + v.n * v.h * v.w * v.c, 0.0);
}

void Plan::read(TensorId tensor, float* out) {
    const View& v = views_[tensor.index];
    const float* from = reinterpret_cast<const float*>(host_memory(tensor));
    for (int64_t n = 0; n < v.n; ++n)
        for (int64_t y = 0; y < v.h; ++y)
            for (int64_t x = 0; x < v.w; ++x, out += v.c)
                std::memcpy(out, from + n * v.image + y * v.row + x * v.pixel, v.c * sizeof(float));
}

void Plan::read_watched(size_t index, float* value, float* gradient) {
    const View& v = views_[watched_values_[index].index];
    read(watched_values_[index], value);
    if (watched_gradients_[index].valid()) {
        read(watched_gradients_[index], gradient);
    } else {
        std::fill_n(gradient, v.n * v.h * v.w * v.c, 0.0f);
    }
}

void Plan::read_input_gradient(size_t index, float* out) {
    if (input_gradients_[index].valid()) read(input_gradients_[index], out);
}

}  // namespace striate
