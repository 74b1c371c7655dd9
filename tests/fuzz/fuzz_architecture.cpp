// Architectures as JSON: reading, building, planning, and running those that are small.
#include "io/architecture.hpp"
#include "mutate.hpp"
#include "striate/error.hpp"
#include "striate/io.hpp"
#include "support.hpp"

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
    return fuzz::mutate_json_text(data, size, max_size, seed);
}

namespace {

bool reads_as_small(const std::string& text) {
    const fuzz::MemoryBound bound(text.size());
    const striate::io::Architecture read = striate::io::read_architecture(text);
    return fuzz::is_small(striate::Graph::build(read.inputs, read.outputs));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    try {
        if (!reads_as_small(text)) return 0;
        striate::Model model = striate::model_from_json(text, 1);
        const std::string written = striate::architecture_json(model);
        fuzz::check(striate::architecture_json(striate::model_from_json(written, 1)) == written, "the model changed");
        fuzz::exercise(model);
    } catch (const striate::ValueError&) {
    }
    return 0;
}
