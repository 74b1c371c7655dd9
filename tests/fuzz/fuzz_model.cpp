// Model files: load, inspect, and run those that are small.
#include "mutate.hpp"
#include "striate/error.hpp"
#include "striate/io.hpp"
#include "support.hpp"

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
    return fuzz::mutate_safetensors(data, size, max_size, seed);
}

namespace {

striate::Model load(const std::string& path, size_t size) {
    const fuzz::MemoryBound bound(size);
    return striate::load_model(path);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static fuzz::MemoryFile file;
    const std::string& path = file.put(data, size);
    try {
        striate::Model model = load(path, size);
        if (fuzz::is_small(model.graph())) fuzz::exercise(model);
    } catch (const striate::ValueError&) {
    }
    return 0;
}
