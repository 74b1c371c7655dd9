#include "graph/plan.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

#include "graph/kernel_call.hpp"
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
    bind();
    workspace_ = &workspace;
    workspace.user = number_;
}

void Plan::resolve(const Device& device) {
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
            if (!kernels::has(device.table(), call.row))
                throw std::logic_error(concat("'", s.what, "' before a call of dispatch::use_training_kernels()"));
            s.table = &device.table();
            s.invoke = kernels::invoker(call.row);
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
                const std::byte* const to = tensors_[p.tensor.index] + p.shift;
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

void Plan::run(Section from, Section to, uint64_t seed, uint64_t iteration) {
    const Frame frame{tensors_.data(), seed, iteration};
    for (size_t i = sections_[from]; i < sections_[to]; ++i) {
        ScheduledStep& s = steps_[i];
        if (!s.call || s.call->random == KernelCall::kNone) continue;
        auto& source = *reinterpret_cast<kernels::RandomSource*>(s.arguments + s.call->random);
        source.seed = seed;
        source.step = static_cast<uint32_t>(iteration);
    }
    if (prepared_version_ != parameters_->version()) {
        const uint64_t version = parameters_->version();
        if (!prepare_.empty()) executor_.run(prepare_, 0, prepare_.size(), frame, true, scratch_, workspace_->scratch);
        prepared_version_ = version;
    }
    const bool with_output =
        std::any_of(data.outputs.begin(), data.outputs.end(), [](const float* p) { return p != nullptr; });
    executor_.run(steps_, sections_[from], sections_[to], frame, with_output, scratch_, workspace_->scratch, recorder);
}

const double* Plan::loss_sums(size_t output) const {
    const TensorId sums = loss_sums_[output];
    return sums.valid() ? reinterpret_cast<const double*>(tensors_[sums.index]) : nullptr;
}

void Plan::read(TensorId tensor, float* out) const {
    const View& v = views_[tensor.index];
    const float* from = reinterpret_cast<const float*>(tensors_[tensor.index]);
    for (int64_t n = 0; n < v.n; ++n)
        for (int64_t y = 0; y < v.h; ++y)
            for (int64_t x = 0; x < v.w; ++x, out += v.c)
                std::memcpy(out, from + n * v.image + y * v.row + x * v.pixel, v.c * sizeof(float));
}

void Plan::read_watched(size_t index, float* value, float* gradient) const {
    const View& v = views_[watched_values_[index].index];
    read(watched_values_[index], value);
    if (watched_gradients_[index].valid()) {
        read(watched_gradients_[index], gradient);
    } else {
        std::fill_n(gradient, v.n * v.h * v.w * v.c, 0.0f);
    }
}

void Plan::read_input_gradient(size_t index, float* out) const {
    if (input_gradients_[index].valid()) read(input_gradients_[index], out);
}

}  // namespace striate
