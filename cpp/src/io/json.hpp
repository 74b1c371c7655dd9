// JSON as the library reads and writes it: the only place that knows both Config and the JSON library.
#pragma once

#include <string>

// The library's own exceptions carry positions; no silent conversions between kinds.
#define JSON_USE_IMPLICIT_CONVERSIONS 0
#include <nlohmann/json.hpp>

#include "striate/config.hpp"

namespace striate::io {

using Json = nlohmann::json;

// Text from a file that nobody vouches for. Throws ValueError, which begins with `what`, when it is not JSON, has a key
// twice in one object, is nested deeper than `max_depth` or has more than kMaxValues values.
Json parse_json(const std::string& text, int max_depth, const std::string& what);
constexpr size_t kMaxValues = size_t{1} << 21;

// Throws ValueError when a string is not UTF-8.
std::string dump_json(const Json& json);

// JSON has no infinity and no NaN: they are written as {"$float": "inf"}, "-inf" or "nan".
Json json_of(const Config& config);
// Throws ValueError, naming `where`, for what no argument can be.
Config config_of(const Json& json, const std::string& where);

// A member of an object, of the given kind. Each throws ValueError, naming `where`.
const Json& member(const Json& object, const char* name, const std::string& where);
const std::string& string_member(const Json& object, const char* name, const std::string& where);
const Json::array_t& array_member(const Json& object, const char* name, const std::string& where);
// An integer from 0 to limit - 1.
int64_t index_of(const Json& json, int64_t limit, const std::string& where);

}  // namespace striate::io
