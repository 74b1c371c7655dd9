#include "device_table.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <type_traits>

#include "cpu/dispatch.hpp"
#include "cuda/plugin.hpp"
#include "kernels/reach.hpp"
#include "kernels/reach_optimizer.hpp"

namespace check {
namespace {

using namespace striate::kernels;
using striate::cuda::Failure;
using striate::cuda::Status;

[[noreturn]] void stop(const char* row, const char* what) {
    std::fprintf(stderr, "device kernel %s: %s\n", row, what);
    std::exit(1);
}

// The plugin that STRIATE_CUDA_PLUGIN names, emulated or not.
const striate::cuda::Plugin& plugin_in_use() {
    static const striate::cuda::Plugin& found = []() -> const striate::cuda::Plugin& {
        const char* const path = std::getenv("STRIATE_CUDA_PLUGIN");
        void* const library = path ? dlopen(path, RTLD_NOW) : nullptr;
        if (!library) stop("none", "STRIATE_CUDA_PLUGIN does not name the plugin");
        const auto entry = reinterpret_cast<striate::cuda::Entry>(dlsym(library, striate::cuda::kEntry));
        const striate::cuda::Plugin& plugin = *entry();
        Failure failure{};
        striate::cuda::Chip chip{};
        if (plugin.open(0, &chip, &failure) != Status::ok) stop("none", failure.text);
        return plugin;
    }();
    return found;
}

// Bytes of an element behind a pointer to void.
template <class Args>
size_t void_element(const Args&) {
    return 1;
}
size_t void_element(const MaxPoolArgs& a) {
    return a.winners.wide ? 4 : 1;
}
size_t void_element(const MaxPoolGradArgs& a) {
    return a.winners.wide ? 4 : 1;
}
size_t label_bytes(const Labels& labels) {
    return labels.type == LabelType::uint8 ? 1 : labels.type == LabelType::int32 ? 4 : 8;
}
size_t void_element(const CategoricalLossArgs& a) {
    return label_bytes(a.labels);
}
size_t void_element(const SparseLossArgs& a) {
    return label_bytes(a.labels);
}
size_t void_element(const CountLabelsArgs& a) {
    return label_bytes(a.labels);
}

// The pointers of some arguments, and the memory of the host that each leads to.
struct Pointer {
    const void** field;
    std::byte *begin, *end;
    size_t block = 0;
};
struct Collector {
    size_t void_bytes;
    std::vector<Pointer> pointers;

    template <class T>
    void operator()(T* const& field, const Reach& reach) {
        const size_t element = [&] {
            if constexpr (std::is_void_v<T>) {
                return void_bytes;
            } else {
                return sizeof(T);
            }
        }();
        if (!field) return;
        auto* const at = reinterpret_cast<std::byte*>(const_cast<std::remove_const_t<T>*>(field));
        const auto bytes = static_cast<int64_t>(element);
        pointers.push_back({const_cast<const void**>(reinterpret_cast<const void* const*>(&field)),
                            at + reach.begin * bytes, at + reach.end * bytes});
    }
    template <class T>
    void optional(T* const& field, const Reach& reach) {
        (*this)(field, reach);
    }
};

// Memory of the host that pointers share, and its copy.
struct Block {
    std::byte *begin, *end;
    void* copy = nullptr;
    size_t size() const { return static_cast<size_t>(end - begin); }
};

std::vector<Block> blocks_of(std::vector<Pointer>& pointers) {
    std::sort(pointers.begin(), pointers.end(), [](const Pointer& a, const Pointer& b) { return a.begin < b.begin; });
    std::vector<Block> blocks;
    for (Pointer& p : pointers) {
        if (p.begin >= p.end) {
            blocks.push_back({p.begin, p.begin});
        } else if (blocks.empty() || p.begin >= blocks.back().end) {
            blocks.push_back({p.begin, p.end});
        } else {
            blocks.back().end = std::max(blocks.back().end, p.end);
        }
        p.block = blocks.size() - 1;
    }
    return blocks;
}

// Memory of a CPU's thread, which the device has no use for.
template <class Args>
void without_scratch(Args&) {}
void without_scratch(ConvWeightArgs& args) {
    args.scratch = nullptr;
}

template <class Args>
void run_on_device(Row row, const Args& given) {
    const striate::cuda::Plugin& plugin = plugin_in_use();
    const char* const name = name_of(row);
    Failure failure{};
    const auto must = [&](Status status) {
        if (status != Status::ok) stop(name, failure.text);
    };
    Args args = given;
    without_scratch(args);
    Collector collector{void_element(given), {}};
    reach(args, collector);
    std::vector<Block> blocks = blocks_of(collector.pointers);
    std::vector<std::vector<std::byte>> first;
    // The first calls of each row in three orders; later ones, of which some tests make thousands, in one of them.
    constexpr int kInEachOrder = 40;
    const char* const orders[] = {"ascending", "descending", "7"};
    static int calls[static_cast<size_t>(Row::count)] = {};
    const int call = calls[static_cast<size_t>(row)]++;
    for (int turn = 0; turn < (call < kInEachOrder ? 3 : 1); ++turn) {
        setenv("EMULATOR_ORDER", orders[(call + turn) % 3], 1);
        for (Block& b : blocks) {
            must(plugin.allocate(0, b.size(), &b.copy, &failure));
            must(plugin.upload(0, b.copy, b.begin, b.size(), &failure));
        }
        for (const Pointer& p : collector.pointers) {
            const Block& b = blocks[p.block];
            // What is before the reach of a pointer, such as padding, may be before its memory.
            auto* const host = static_cast<const std::byte*>(*p.field);
            *p.field = static_cast<std::byte*>(b.copy) + (host - b.begin);
        }
        must(plugin.launch(0, static_cast<uint16_t>(row), &args, &failure));
        std::vector<std::vector<std::byte>> results;
        for (size_t i = 0; i < blocks.size(); ++i) {
            auto& result = results.emplace_back(blocks[i].size());
            must(plugin.download(0, result.data(), blocks[i].copy, result.size(), &failure));
        }
        for (const Pointer& p : collector.pointers) {
            const Block& b = blocks[p.block];
            *p.field = b.begin + (static_cast<const std::byte*>(*p.field) - static_cast<std::byte*>(b.copy));
        }
        for (Block& b : blocks) plugin.release(0, b.copy);
        if (first.empty()) {
            first = std::move(results);
        } else if (first != results) {
            stop(name, "other bits in another order of threads");
        }
    }
    for (size_t i = 0; i < blocks.size(); ++i)
        if (!first[i].empty()) std::memcpy(blocks[i].begin, first[i].data(), first[i].size());
}

// A device does all units at once: with the first of them.
#define STRIATE_DEVICE_KERNEL(name, Args)                             \
    void name##_on_device(const Args& args, int64_t begin, int64_t) { \
        if (begin == 0) run_on_device(Row::name, args);               \
    }
#include "device_kernels.inc"
#undef STRIATE_DEVICE_KERNEL

const Table& table() {
    static const Table made = [] {
        Table t = *striate::dispatch::implementations().back().table;  // for rows that the device lacks
        t.isa = "cuda";
        t.vector_width = 4;
#define STRIATE_DEVICE_KERNEL(name, Args) t.name = &name##_on_device;
#include "device_kernels.inc"
#undef STRIATE_DEVICE_KERNEL
        return t;
    }();
    return made;
}

}  // namespace

std::vector<const Table*> device_tables() {
    return {&table()};
}

}  // namespace check
