// What lies around a map that is pooled.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "striate/config.hpp"

namespace striate STRIATE_API {

// "valid", "same", or margins of one's own: rows and columns that no window counts.
struct PoolPadding {
    std::string mode = "valid";    // empty for margins
    std::vector<int64_t> margins;  // top, bottom, left, right

    PoolPadding() = default;
    PoolPadding(const char* name) : mode(name) {}
    PoolPadding(std::string name) : mode(std::move(name)) {}
    PoolPadding(std::vector<int64_t> around) : mode(), margins(std::move(around)) {}
    bool operator==(const char* name) const { return mode == name; }
};

void read_value(const ConfigValue& value, PoolPadding& out, const std::string& where);
ConfigValue write_value(const PoolPadding& value);

}  // namespace striate STRIATE_API
