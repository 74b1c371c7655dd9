#include "io/json.hpp"

#include <cmath>
#include <limits>
#include <unordered_set>

#include "suggest.hpp"

namespace striate::io {
namespace {

constexpr const char* kSpecial = "$float";
// More arguments than any layer has; Config looks its entries up one by one.
constexpr size_t kMaxArguments = 256;

Json json_of_number(double value) {
    if (std::isfinite(value)) return value;
    return Json{{kSpecial, std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf"}};
}

Json json_of_value(const ConfigValue& value) {
    if (const auto* number = std::get_if<double>(&value)) return json_of_number(*number);
    if (const auto* group = std::get_if<ConfigPtr>(&value)) return *group ? json_of(**group) : Json();
    if (const auto* numbers = std::get_if<std::vector<double>>(&value)) {
        Json list = Json::array();
        for (double number : *numbers) list.push_back(json_of_number(number));
        return list;
    }
    if (const auto* flag = std::get_if<bool>(&value)) return *flag;
    if (const auto* integer = std::get_if<int64_t>(&value)) return *integer;
    if (const auto* text = std::get_if<std::string>(&value)) return *text;
    if (const auto* integers = std::get_if<std::vector<int64_t>>(&value)) return *integers;
    return nullptr;
}

bool is_special(const Json& json) {
    return json.is_object() && json.size() == 1 && json.contains(kSpecial);
}

double special_of(const Json& json, const std::string& where) {
    const std::string& name = string_member(json, kSpecial, where);
    if (name == "nan") return std::numeric_limits<double>::quiet_NaN();
    if (name == "inf") return std::numeric_limits<double>::infinity();
    if (name == "-inf") return -std::numeric_limits<double>::infinity();
    fail(where, " has an unknown number ", quoted(name));
}

int64_t integer_of(const Json& json, const std::string& where) {
    require(!json.is_number_unsigned() ||
                json.get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()),
            where, " has an integer of more than 64 bits");
    return json.get<int64_t>();
}

ConfigValue list_of(const Json& json, const std::string& where) {
    std::vector<int64_t> integers;
    std::vector<double> numbers;
    for (const Json& item : json) {
        if (item.is_number_integer()) {
            integers.push_back(integer_of(item, where));
            numbers.push_back(static_cast<double>(integers.back()));
        } else if (item.is_number_float()) {
            numbers.push_back(item.get<double>());
        } else {
            require(is_special(item), where, " has a list with an element that is not a number");
            numbers.push_back(special_of(item, where));
        }
    }
    if (integers.size() == numbers.size()) return integers;
    return numbers;
}

ConfigValue value_of(const Json& json, const std::string& where) {
    switch (json.type()) {
        case Json::value_t::null:
            return {};
        case Json::value_t::boolean:
            return json.get<bool>();
        case Json::value_t::number_integer:
        case Json::value_t::number_unsigned:
            return integer_of(json, where);
        case Json::value_t::number_float:
            return json.get<double>();
        case Json::value_t::string:
            return json.get<std::string>();
        case Json::value_t::array:
            return list_of(json, where);
        case Json::value_t::object:
            if (is_special(json)) return special_of(json, where);
            return std::make_shared<const Config>(config_of(json, where));
        default:
            fail(where, " has a value of an unknown kind");
    }
}

}  // namespace

Json parse_json(const std::string& text, int max_depth, const std::string& what) {
    std::vector<std::unordered_set<std::string>> keys;  // of the objects that are open
    size_t values = 0;
    const auto check = [&](int depth, Json::parse_event_t event, Json& parsed) {
        require(depth <= max_depth, what, " is nested too deeply");
        require(++values <= kMaxValues, what, " has too many values");
        if (event == Json::parse_event_t::object_start) keys.emplace_back();
        if (event == Json::parse_event_t::object_end) keys.pop_back();
        if (event == Json::parse_event_t::key) {
            const auto& key = parsed.get_ref<const std::string&>();
            require(keys.back().insert(key).second, what, " has the key ", quoted(key), " twice");
        }
        return true;
    };
    try {
        return Json::parse(text, check);
    } catch (const Json::parse_error& error) {
        fail(what, " is not valid JSON: the error is at byte ", error.byte);
    } catch (const Json::exception&) {
        fail(what, " is not valid JSON: a number is out of range");
    }
}

std::string dump_json(const Json& json) {
    try {
        return json.dump();
    } catch (const Json::exception&) {
        fail("a name or a string is not valid UTF-8 and cannot be written to a file");
    }
}

Json json_of(const Config& config) {
    Json object = Json::object();
    for (const auto& [name, value] : config.entries()) object[name] = json_of_value(value);
    return object;
}

Config config_of(const Json& json, const std::string& where) {
    require(json.is_object(), where, " is not an object");
    require(json.size() <= kMaxArguments, where, " has too many arguments");
    Config config;
    for (const auto& [name, value] : json.items()) config.set(name, value_of(value, where));
    return config;
}

const Json& member(const Json& object, const char* name, const std::string& where) {
    require(object.is_object(), where, " is not an object");
    const auto found = object.find(name);
    require(found != object.end(), where, " has no '", name, "'");
    return *found;
}

const std::string& string_member(const Json& object, const char* name, const std::string& where) {
    const Json& value = member(object, name, where);
    require(value.is_string(), where, ": '", name, "' is not a string");
    return value.get_ref<const std::string&>();
}

const Json::array_t& array_member(const Json& object, const char* name, const std::string& where) {
    const Json& value = member(object, name, where);
    require(value.is_array(), where, ": '", name, "' is not a list");
    return value.get_ref<const Json::array_t&>();
}

int64_t index_of(const Json& json, int64_t limit, const std::string& where) {
    require(json.is_number_unsigned() && json.get<uint64_t>() < static_cast<uint64_t>(limit), where,
            " is not an integer from 0 to ", limit - 1);
    return json.get<int64_t>();
}

}  // namespace striate::io
