#include <algorithm>
#include <cstring>
#include <iterator>
#include <limits>
#include <string_view>
#include <vector>

#include "mutate.hpp"
#include "striate/layer.hpp"

namespace fuzz {
namespace {

using striate::io::Json;

constexpr int64_t kIntegers[] = {0,
                                 1,
                                 2,
                                 3,
                                 4,
                                 5,
                                 7,
                                 8,
                                 9,
                                 16,
                                 31,
                                 32,
                                 33,
                                 64,
                                 255,
                                 256,
                                 1024,
                                 4096,
                                 65535,
                                 65536,
                                 1 << 20,
                                 2147483647,
                                 2147483648,
                                 int64_t{1} << 40,
                                 -1,
                                 -2,
                                 int64_t{1} << 53,
                                 std::numeric_limits<int64_t>::max(),
                                 std::numeric_limits<int64_t>::min()};
constexpr double kNumbers[] = {0.0, -0.0, 0.5, 1.0, -1.0, 1e-7, 1e30, -1e30, 1e300, 0.001, 2.5};
constexpr const char* kStrings[] = {
    "valid",    "same",  "causal",     "relu",  "softmax", "sigmoid",        "tanh",      "gelu",         "linear",
    "elu",      "swish", "leaky_relu", "zeros", "ones",    "glorot_uniform", "he_normal", "lecun_normal", "nearest",
    "bilinear", "batch", "F32",        "F64",   "U8",      "BOOL",           "inf",       "nan",          "",
    "a",        "i",     "kernel",     "bias"};
constexpr const char* kKeys[] = {"filters",
                                 "kernel_size",
                                 "strides",
                                 "padding",
                                 "dilation_rate",
                                 "groups",
                                 "activation",
                                 "use_bias",
                                 "units",
                                 "pool_size",
                                 "shape",
                                 "target_shape",
                                 "dims",
                                 "axis",
                                 "rate",
                                 "epsilon",
                                 "momentum",
                                 "center",
                                 "scale",
                                 "offset",
                                 "depth_multiplier",
                                 "size",
                                 "interpolation",
                                 "cropping",
                                 "output_padding",
                                 "negative_slope",
                                 "max_value",
                                 "threshold",
                                 "alpha",
                                 "mean",
                                 "variance",
                                 "kernel_initializer",
                                 "bias_initializer",
                                 "shared_axes",
                                 "trainable",
                                 "dtype",
                                 "data_offsets",
                                 "$float",
                                 "seed",
                                 "iteration",
                                 "epochs",
                                 "learning_rate",
                                 "keepdims",
                                 "invert"};

size_t below(Random& random, size_t count) {
    return count ? random() % count : 0;
}
template <class T, size_t N>
const T& one_of(const T (&list)[N], Random& random) {
    return list[below(random, N)];
}

Json scalar(Random& random) {
    switch (below(random, 8)) {
        case 0:
            return one_of(kNumbers, random);
        case 1:
            return one_of(kStrings, random);
        case 2:
            return random() % 2 == 0;
        case 3:
            return nullptr;
        case 4:
            return Json::array({one_of(kIntegers, random), one_of(kIntegers, random)});
        case 5:
            return static_cast<int64_t>(1 + below(random, 4));
        default:
            return one_of(kIntegers, random);
    }
}

void collect(Json& json, std::vector<Json*>& places) {
    places.push_back(&json);
    if (json.is_structured())
        for (Json& child : json) collect(child, places);
}

void change_list(Json& list, Random& random) {
    auto& items = list.get_ref<Json::array_t&>();
    const size_t at = below(random, items.size());
    const size_t what = below(random, 4);
    if (items.empty() || what == 0) {
        items.insert(items.begin() + static_cast<std::ptrdiff_t>(at), scalar(random));
    } else if (what == 1) {
        items.erase(items.begin() + static_cast<std::ptrdiff_t>(at));
    } else if (what == 2) {
        std::swap(items[at], items[below(random, items.size())]);
    } else {
        const Json copy = items[at];
        items.insert(items.end(), 1 + below(random, 3), copy);
    }
}

void change_object(Json& object, Random& random) {
    if (!object.empty() && random() % 2 == 0) {
        auto at = object.begin();
        std::advance(at, static_cast<std::ptrdiff_t>(below(random, object.size())));
        if (random() % 2 == 0)
            object.erase(at);
        else
            *at = scalar(random);
        return;
    }
    object[one_of(kKeys, random)] = scalar(random);
}

// A valid value of an argument, so that models grow; other values come from the general mutations.
Json argument(const std::string& name, Random& random) {
    const auto small = [&] { return static_cast<int64_t>(1 + below(random, 4)); };
    if (name == "target_shape" || name == "dims" || name == "shape" || name == "size")
        return Json::array({small(), small(), small()});
    if (name == "padding") return random() % 2 == 0 ? "same" : "valid";
    if (name == "activation") return random() % 2 == 0 ? "relu" : "softmax";
    if (name == "rate") return 0.5;
    if (name == "use_bias" || name == "center" || name == "scale") return random() % 2 == 0;
    return small();
}

void add_layer(Json& network, Random& random) {
    static const std::vector<std::string> types = striate::layer_types();
    auto& layers = network["layers"].get_ref<Json::array_t&>();
    auto& nodes = network["nodes"].get_ref<Json::array_t&>();
    Json config = Json::object();
    const std::string& type = types[below(random, types.size())];
    if (type == "Dense") config["units"] = argument("units", random);
    if (type.find("Conv") != std::string::npos) {
        if (type != "DepthwiseConv2D") config["filters"] = argument("filters", random);
        config["kernel_size"] = argument("kernel_size", random);
    }
    if (type == "Reshape") config["target_shape"] = argument("target_shape", random);
    if (type == "Permute") config["dims"] = Json::array({3, 1, 2});
    if (type == "Take") config["indices"] = Json::array({0, 0});
    if (type == "Dropout" || type == "SpatialDropout2D") config["rate"] = 0.5;
    if (type == "Activation") config["activation"] = argument("activation", random);
    if (type == "Rescaling") config["scale"] = 0.5;
    for (size_t i = below(random, 3); i > 0; --i) {
        const std::string key = one_of(kKeys, random);
        config[key] = argument(key, random);
    }
    Json inputs = Json::array();
    constexpr std::string_view kMerging[] = {"Add",     "Multiply", "Subtract",    "Average",
                                             "Maximum", "Minimum",  "Concatenate", "MatMul"};
    const bool merges = std::find(std::begin(kMerging), std::end(kMerging), type) != std::end(kMerging);
    if (!nodes.empty() && type != "InputLayer")
        for (size_t i = 0; i < (merges ? 2u : 1u); ++i)
            inputs.push_back(random() % 4 ? nodes.size() - 1 : below(random, nodes.size()));
    if (type == "InputLayer") config = {{"shape", argument("shape", random)}};
    layers.push_back({{"type", type}, {"name", "l" + std::to_string(layers.size())}, {"config", std::move(config)}});
    nodes.push_back({{"layer", layers.size() - 1}, {"inputs", std::move(inputs)}});
    Json& ends = network[type == "InputLayer" ? "inputs" : "outputs"];
    if (type == "InputLayer" || random() % 8 == 0)
        ends.push_back(nodes.size() - 1);
    else
        ends = Json::array({nodes.size() - 1});
}

bool is_architecture(const Json& json) {
    for (const char* key : {"layers", "nodes", "inputs", "outputs"})
        if (!json.is_object() || !json.contains(key) || !json[key].is_array()) return false;
    return true;
}

}  // namespace

void mutate_json(Json& json, Random& random) {
    if (is_architecture(json) && random() % 3 == 0) return add_layer(json, random);
    std::vector<Json*> places;
    collect(json, places);
    Json& place = *places[below(random, places.size())];
    if (random() % 8 == 0) {
        const Json copy = *places[below(random, places.size())];
        place = copy;
    } else if (place.is_array()) {
        change_list(place, random);
    } else if (place.is_object()) {
        change_object(place, random);
    } else if (place.is_number_integer() && random() % 2 == 0) {
        place = static_cast<int64_t>(place.get<uint64_t>() + random() % 5 - 2);
    } else if (place.is_string()) {
        static const std::vector<std::string> types = striate::layer_types();
        place = random() % 2 == 0 ? Json(one_of(kStrings, random)) : Json(types[below(random, types.size())]);
    } else {
        place = scalar(random);
    }
}

size_t mutate_json_text(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
    Random random(seed + 1);
    if (random() % 8 != 0) {
        Json json = Json::parse(data, data + size, nullptr, false);
        if (!json.is_discarded()) {
            for (size_t i = 1 + below(random, 3); i > 0; --i) mutate_json(json, random);
            const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
            if (text.size() <= max_size) {
                std::memcpy(data, text.data(), text.size());
                return text.size();
            }
        }
    }
    return LLVMFuzzerMutate(data, size, max_size);
}

}  // namespace fuzz
