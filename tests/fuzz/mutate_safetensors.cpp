#include <cstring>

#include "mutate.hpp"

namespace fuzz {
namespace {

using striate::io::Json;

constexpr size_t kLengthBytes = 8;

uint64_t length_of(const uint8_t* data) {
    uint64_t length = 0;
    for (size_t i = 0; i < kLengthBytes; ++i) length |= uint64_t{data[i]} << (8 * i);
    return length;
}

size_t put(uint8_t* data, size_t max_size, const std::string& header, const std::string& rest) {
    if (kLengthBytes + header.size() + rest.size() > max_size) return 0;
    for (size_t i = 0; i < kLengthBytes; ++i) data[i] = static_cast<uint8_t>(uint64_t{header.size()} >> (8 * i));
    std::memcpy(data + kLengthBytes, header.data(), header.size());
    std::memcpy(data + kLengthBytes + header.size(), rest.data(), rest.size());
    return kLengthBytes + header.size() + rest.size();
}

std::string dumped(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// JSON texts within the header's metadata: the architecture, the training state.
bool mutate_metadata(Json& header, Random& random) {
    const auto metadata = header.find("__metadata__");
    if (metadata == header.end() || !metadata->is_object() || metadata->empty()) return false;
    auto at = metadata->begin();
    std::advance(at, static_cast<std::ptrdiff_t>(random() % metadata->size()));
    if (!at->is_string()) return false;
    Json text = Json::parse(at->get_ref<const std::string&>(), nullptr, false);
    if (text.is_discarded()) return false;
    mutate_json(text, random);
    *at = dumped(text);
    return true;
}

}  // namespace

size_t mutate_safetensors(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
    Random random(seed + 1);
    if (size < kLengthBytes || random() % 8 == 0) return LLVMFuzzerMutate(data, size, max_size);
    const uint64_t length = length_of(data);
    if (length > size - kLengthBytes) return LLVMFuzzerMutate(data, size, max_size);
    const uint8_t* begin = data + kLengthBytes;
    Json header = Json::parse(begin, begin + length, nullptr, false);
    if (!header.is_object()) return LLVMFuzzerMutate(data, size, max_size);
    std::string rest(reinterpret_cast<const char*>(begin + length), size - kLengthBytes - length);
    if (random() % 8 == 0) {
        rest.resize(rest.size() + random() % 9);
        if (!rest.empty() && random() % 2 == 0) rest.resize(random() % rest.size());
    }
    if (random() % 2 == 0 || !mutate_metadata(header, random)) mutate_json(header, random);
    const size_t made = put(data, max_size, dumped(header), rest);
    return made ? made : LLVMFuzzerMutate(data, size, max_size);
}

}  // namespace fuzz
