#include "cuda/device.hpp"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <stdexcept>

#include "cpu/cpu.hpp"
#include "cuda/plugin.hpp"
#include "forks.hpp"
#include "striate/error.hpp"

#if defined(__unix__) || defined(__APPLE__)
#include <dlfcn.h>
#define STRIATE_OPENS_PLUGINS 1
#else
#define STRIATE_OPENS_PLUGINS 0
#endif

namespace striate::cuda {
namespace {

constexpr const char* kFile = "libstriate_cuda.so";
constexpr const char* kRemedy =
    "install the package striate-cuda, or set STRIATE_CUDA_PLUGIN to the path of libstriate_cuda.so (see docs/gpu.md)";

// std::bad_alloc with a text of its own.
class OutOfMemory final : public std::bad_alloc {
  public:
    explicit OutOfMemory(const std::string& text) : text_(std::make_shared<const std::string>(text)) {}
    const char* what() const noexcept override { return text_->c_str(); }

  private:
    std::shared_ptr<const std::string> text_;
};

template <class... Parts>
[[noreturn]] void stop(const Parts&... parts) {
    throw std::runtime_error(concat(parts...));
}

std::string version_text(int32_t version) {
    return concat(version / 1000, ".", version % 1000 / 10);
}

// What every use of a device asks of the plugin it came from.
[[noreturn]] void raise(Status status, const std::string& device, const char* what, const Failure& failure) {
    if (status == Status::no_memory) throw OutOfMemory(concat(device, ": ", failure.text));
    stop(device, ": ", what, " failed: ", failure.text);
}

class Gpu final : public Accelerator {
  public:
    Gpu(const Plugin& plugin, int index) : plugin_(plugin), index_(index), name_(concat("cuda:", index)) {
        Failure failure{};
        const Status status = plugin.open(index, &chip, &failure);
        if (status == Status::ok) return;
        const char* remedy = status == Status::old_driver ? "; update the NVIDIA driver"
                             : status == Status::old_chip ? "; striate needs a GPU of compute capability 7.5 or later"
                                                          : "";
        stop(name_, ": ", failure.text, remedy);
    }

    const char* name() const override { return name_.c_str(); }
    bool has(kernels::Row row) const override { return plugin_.has[static_cast<size_t>(row)] != 0; }
    // The same on every chip, so that sums are.
    Rules rules() const override {
        Machine machine{4, true};
        machine.whole_panels = true;
        return {machine, false, false, false};
    }

    std::byte* allocate(size_t bytes) const override {
        void* memory = nullptr;
        call("the allocation of memory", [&](Failure& f) { return plugin_.allocate(index_, bytes, &memory, &f); });
        return static_cast<std::byte*>(memory);
    }
    void release(std::byte* memory) const noexcept override {
        if (generation_ == forks::generation()) plugin_.release(index_, memory);
    }
    void clear(std::byte* memory, size_t bytes) const override {
        call("clearing memory", [&](Failure& f) { return plugin_.clear(index_, memory, bytes, &f); });
    }
    void upload(std::byte* to, const std::byte* from, size_t bytes) const override {
        call("a copy to the device", [&](Failure& f) { return plugin_.upload(index_, to, from, bytes, &f); });
    }
    void download(std::byte* to, const std::byte* from, size_t bytes) const override {
        call("a copy from the device", [&](Failure& f) { return plugin_.download(index_, to, from, bytes, &f); });
    }
    void launch(const Launch& launch) const override {
        call(kernels::name_of(launch.row), [&](Failure& f) {
            const Status status = plugin_.launch(index_, static_cast<uint16_t>(launch.row), launch.arguments, &f);
            return status == Status::ok && waits_ ? plugin_.wait(index_, &f) : status;
        });
    }
    // STRIATE_CUDA_SYNC: each step by itself, so that an error names it.
    std::unique_ptr<Recording> record(const std::vector<Launch>& launches) const override {
        if (waits_) return nullptr;
        std::vector<uint16_t> rows;
        std::vector<const void*> arguments;
        for (const Launch& l : launches) {
            rows.push_back(static_cast<uint16_t>(l.row));
            arguments.push_back(l.arguments);
        }
        void* graph = nullptr;
        call("recording steps", [&](Failure& f) {
            return plugin_.record(index_, static_cast<uint32_t>(rows.size()), rows.data(), arguments.data(), &graph,
                                  &f);
        });
        return std::make_unique<Graph>(*this, graph);
    }
    bool lost() const override { return lost_; }

    Chip chip{};

  private:
    class Graph final : public Recording {
      public:
        Graph(const Gpu& gpu, void* graph) : gpu_(gpu), graph_(graph) {}
        ~Graph() override {
            if (gpu_.generation_ == forks::generation()) gpu_.plugin_.drop(gpu_.index_, graph_);
        }
        void launch() const override {
            gpu_.call("a run of steps", [&](Failure& f) { return gpu_.plugin_.replay(gpu_.index_, graph_, &f); });
        }

      private:
        const Gpu& gpu_;
        void* graph_;
    };

    template <class Call>
    void call(const char* what, Call&& use) const {
        if (generation_ != forks::generation())
            stop(name_, " cannot be used after fork(): a child process cannot go on with a GPU of its parent; start ",
                 "processes with the method 'spawn', or use device 'cpu' in the child");
        Failure failure{};
        const Status status = use(failure);
        if (status == Status::ok) return;
        if (status == Status::lost) lost_ = true;
        raise(status, name_, what, failure);
    }

    const Plugin& plugin_;
    int index_;
    std::string name_;
    uint64_t generation_ = forks::generation();
    bool waits_ = [] {
        const char* text = std::getenv("STRIATE_CUDA_SYNC");
        return text && *text && std::strcmp(text, "0") != 0;
    }();
    mutable std::atomic<bool> lost_{false};
};

// The plugin and what was made of it. Never destroyed: threads may still compute while a process ends.
struct State {
    std::mutex& mutex = forks::shared_mutex();
    std::string path;
    const Plugin* plugin = nullptr;
    std::vector<std::unique_ptr<Gpu>> devices;
};

State& state() {
    static State& all = *new State;
    return all;
}

constexpr uint32_t kRows = static_cast<uint32_t>(kernels::Row::count);
constexpr uint32_t kSizes[] = {
#define STRIATE_KERNEL(name, Args) sizeof(kernels::Args),
#include "kernels/kernels.inc"
#undef STRIATE_KERNEL
};

std::string path_of(const State& s) {
    const char* given = std::getenv("STRIATE_CUDA_PLUGIN");
    if (given && *given) return given;
    return s.path.empty() ? kFile : s.path;
}

// With the lock held. Null, with the reason in `why`, when there is none that can be opened.
const Plugin* opened(State& s, std::string& why) {
    if (s.plugin) return s.plugin;
#if STRIATE_OPENS_PLUGINS
    const std::string path = path_of(s);
    void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char* const said = dlerror();
        why = concat("there is no CUDA plugin (", said ? said : path.c_str(), "); ", kRemedy);
        return nullptr;
    }
    const auto entry = reinterpret_cast<Entry>(dlsym(library, kEntry));
    if (!entry) stop("'", path, "' is no CUDA plugin of striate: it has no function ", kEntry, "; ", kRemedy);
    const Plugin& found = *entry();
    bool same = found.layout == kLayout && std::strcmp(found.version, STRIATE_VERSION) == 0 && found.row_count == kRows;
    for (uint32_t row = 0; same && row < kRows; ++row) same = found.argument_sizes[row] == kSizes[row];
    if (!same)
        stop("the CUDA plugin '", path, "' is of striate ",
             found.layout == kLayout ? found.version : "of another layout", ", this is striate ", STRIATE_VERSION,
             "; install the same version of both");
    s.plugin = &found;
    return s.plugin;
#else
    why = "there is no CUDA plugin for this operating system";
    return nullptr;
#endif
}

const Plugin& plugin(State& s) {
    std::string why;
    const Plugin* const found = opened(s, why);
    if (!found) stop(why);
    return *found;
}

// With the lock held.
const Gpu& gpu(State& s, int index) {
    for (const auto& made : s.devices)
        if (made->name() == concat("cuda:", index)) return *made;
    const Plugin& from = plugin(s);
    Failure failure{};
    int32_t count = 0;
    const Status status = from.count(&count, &failure);
    if (status != Status::ok)
        stop("cuda:", index, ": ", failure.text, status == Status::old_driver ? "; update the NVIDIA driver" : "");
    require(index < count, "there is no device cuda:", index, "; this machine has ", count, " CUDA device(s)");
    s.devices.push_back(std::make_unique<Gpu>(from, index));
    return *s.devices.back();
}

}  // namespace

std::string description() try {
    State& s = state();
    const std::lock_guard<std::mutex> lock(s.mutex);
    std::string why;
    const Plugin* const found = opened(s, why);
    if (!found) return "none";
    Failure failure{};
    int32_t count = 0;
    if (found->count(&count, &failure) != Status::ok) return concat(found->toolchain, ", ", failure.text);
    if (count == 0) return concat(found->toolchain, ", no device");
    const Chip& chip = gpu(s, 0).chip;
    return concat(found->toolchain, ", ", chip.name, ", sm_", chip.major, chip.minor, ", ", chip.memory >> 30,
                  " GiB, driver for CUDA ", version_text(chip.driver));
} catch (const std::exception& error) {
    return error.what();
}

void set_plugin(const std::string& path) {
    State& s = state();
    const std::lock_guard<std::mutex> lock(s.mutex);
    s.path = path;
}

const Accelerator& device(int index) {
    State& s = state();
    const std::lock_guard<std::mutex> lock(s.mutex);
    return gpu(s, index);
}

std::vector<std::pair<std::string, bool>> kernels_on_device() {
    State& s = state();
    const std::lock_guard<std::mutex> lock(s.mutex);
    const Plugin& from = plugin(s);
    std::vector<std::pair<std::string, bool>> rows;
    for (uint32_t row = 0; row < kRows; ++row)
        rows.emplace_back(kernels::name_of(static_cast<kernels::Row>(row)), from.has[row] != 0);
    return rows;
}

}  // namespace striate::cuda
