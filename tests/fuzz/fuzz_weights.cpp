// Weights of a safetensors file into a model that exists. A refused file leaves the model as it was.
#include <cstring>

#include "mutate.hpp"
#include "striate/error.hpp"
#include "striate/io.hpp"
#include "striate/layers.hpp"
#include "support.hpp"
#include "weights.hpp"

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
    return fuzz::mutate_safetensors(data, size, max_size, seed);
}

namespace {

striate::Model make_model() {
    const auto dense = std::make_shared<const striate::Dense>(striate::DenseOptions{2}, "d");
    const striate::Symbol input = striate::input({1}, "i");
    return {{input}, {striate::apply(dense, {input})}, 0};
}

std::string values_of(const striate::Model& model) {
    const std::vector<float> values = striate::test::values_of(model);
    return std::string(reinterpret_cast<const char*>(values.data()), sizeof(float) * values.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static fuzz::MemoryFile file;
    static striate::Model model = make_model();
    const std::string& path = file.put(data, size);
    const std::string before = values_of(model);
    try {
        const fuzz::MemoryBound bound(size);
        striate::load_weights(model, path);
    } catch (const striate::ValueError&) {
        fuzz::check(values_of(model) == before, "a refused file changed weights");
    }
    return 0;
}
