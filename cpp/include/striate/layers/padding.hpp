// What is around a map that windows slide over.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "striate/config.hpp"

namespace striate STRIATE_API {

// "valid", "same", or margins: zeros around the map for a convolution, rows and columns that pooling does not count.
struct Padding {
    std::string mode = "valid";    // empty for margins
    std::vector<int64_t> margins;  // top, bottom, left, right

    Padding() = default;
    Padding(const char* name) : mode(name) {}
    Padding(std::string name) : mode(std::move(name)) {}
    Padding(std::vector<int64_t> around) : mode(), margins(std::move(around)) {}
    bool operator==(const char* name) const { return mode == name; }
};

void read_value(const ConfigValue& value, Padding& out, const std::string& where);
ConfigValue write_value(const Padding& value);

}  // namespace striate STRIATE_API
