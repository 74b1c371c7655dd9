// JSON texts and the arguments of layers that they hold: no file, and no network.
#include "io/json.hpp"
#include "mutate.hpp"
#include "striate/error.hpp"
#include "striate/layer.hpp"
#include "support.hpp"

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
    return fuzz::mutate_json_text(data, size, max_size, seed);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    const fuzz::MemoryBound bound(size);
    try {
        const striate::io::Json json = striate::io::parse_json(text, 16, "the text");
        const std::string& type = striate::io::string_member(json, "type", "the layer");
        const striate::Config config = striate::io::config_of(striate::io::member(json, "config", "the layer"), "it");
        const striate::LayerPtr layer = striate::make_layer(type, config, "layer");
        // What was made describes itself, and the description makes the same layer.
        const std::string written = striate::io::dump_json(striate::io::json_of(layer->config()));
        const striate::LayerPtr again = striate::make_layer(
            type, striate::io::config_of(striate::io::parse_json(written, 16, "it"), "it"), "layer");
        fuzz::check(striate::io::dump_json(striate::io::json_of(again->config())) == written, "the layer has changed");
        (void)layer->window();
    } catch (const striate::ValueError&) {
    } catch (const striate::TypeError&) {
    }
    return 0;
}
