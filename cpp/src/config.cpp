#include "striate/config.hpp"

#include <algorithm>

#include "suggest.hpp"

namespace striate {
namespace {

template <class... Functions>
struct Overloaded : Functions... {
    using Functions::operator()...;
};
template <class... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;

template <class T>
std::string listed(const std::vector<T>& values) {
    std::string text;
    for (size_t i = 0; i < values.size() && i < 8; ++i) text += (i ? ", " : "") + concat(values[i]);
    return "[" + text + (values.size() > 8 ? ", ...]" : "]");
}

// "number 2.5", "string 'same'": the kind and the value.
std::string describe(const ConfigValue& value) {
    const std::string kind = kind_of(value);
    return std::visit(
        Overloaded{[&](const Null&) { return kind; }, [&](bool v) { return kind + (v ? " true" : " false"); },
                   [&](int64_t v) { return kind + " " + std::to_string(v); },
                   [&](double v) { return kind + " " + concat(v); },
                   [&](const std::string& v) { return kind + " " + quoted(v); },
                   [&](const std::vector<int64_t>& v) { return kind + " " + listed(v); },
                   [&](const std::vector<double>& v) { return kind + " " + listed(v); },
                   [&](const ConfigPtr&) { return kind; }},
        value);
}

// Bounds that no use of the library comes near, so that sums and products of a few arguments and sizes stay within 64
// bits. The first is also the range in which every JSON reader keeps integers exactly.
constexpr int64_t kLargestInteger = int64_t{1} << 53;
constexpr int64_t kLargestSide = (int64_t{1} << 31) - 1;  // of windows, strides and the like

void check_range(int64_t value, int64_t largest, const std::string& where) {
    require(value >= -largest && value <= largest, where, " must be from ", -largest, " to ", largest, ", got ", value);
}

[[noreturn]] void wrong_kind(const std::string& where, const char* expected, const ConfigValue& value) {
    throw TypeError(concat(where, " must be ", expected, ", got ", describe(value)));
}

}  // namespace

const ConfigValue* Config::find(const std::string& name) const {
    for (const Entry& entry : entries_)
        if (entry.first == name) return &entry.second;
    return nullptr;
}

void Config::set(const std::string& name, ConfigValue value) {
    for (Entry& entry : entries_) {
        if (entry.first != name) continue;
        entry.second = std::move(value);
        return;
    }
    entries_.emplace_back(name, std::move(value));
}

std::string kind_of(const ConfigValue& value) {
    return std::visit(Overloaded{[](const Null&) { return "none"; }, [](bool) { return "boolean"; },
                                 [](int64_t) { return "integer"; }, [](double) { return "number"; },
                                 [](const std::string&) { return "string"; },
                                 [](const std::vector<int64_t>&) { return "list of integers"; },
                                 [](const std::vector<double>&) { return "list of numbers"; },
                                 [](const ConfigPtr& v) { return v ? "group of arguments" : "none"; }},
                      value);
}

void read_value(const ConfigValue& value, bool& out, const std::string& where) {
    const auto* found = std::get_if<bool>(&value);
    if (!found) wrong_kind(where, "a boolean", value);
    out = *found;
}

void read_value(const ConfigValue& value, int64_t& out, const std::string& where) {
    const auto* found = std::get_if<int64_t>(&value);
    if (!found) wrong_kind(where, "an integer", value);
    check_range(*found, kLargestInteger, where);
    out = *found;
}

void read_value(const ConfigValue& value, double& out, const std::string& where) {
    if (const auto* number = std::get_if<double>(&value)) {
        out = *number;
    } else if (const auto* integer = std::get_if<int64_t>(&value)) {
        out = static_cast<double>(*integer);
    } else {
        wrong_kind(where, "a number", value);
    }
}

void read_value(const ConfigValue& value, std::string& out, const std::string& where) {
    const auto* found = std::get_if<std::string>(&value);
    if (!found) wrong_kind(where, "a string", value);
    out = *found;
}

void read_value(const ConfigValue& value, Pair& out, const std::string& where) {
    if (const auto* both = std::get_if<int64_t>(&value)) {
        out = Pair(*both);
    } else if (const auto* sizes = std::get_if<std::vector<int64_t>>(&value)) {
        require(sizes->size() == 2, where, " must be an integer or two integers (height, width), got ",
                describe(value));
        out = Pair((*sizes)[0], (*sizes)[1]);
    } else {
        wrong_kind(where, "an integer or two integers (height, width)", value);
    }
    check_range(out.h, kLargestSide, where);
    check_range(out.w, kLargestSide, where);
}

void read_value(const ConfigValue& value, std::vector<int64_t>& out, const std::string& where) {
    const auto* numbers = std::get_if<std::vector<double>>(&value);
    if (const auto* integers = std::get_if<std::vector<int64_t>>(&value)) {
        out = *integers;
    } else if (const auto* single = std::get_if<int64_t>(&value)) {
        out = {*single};
    } else if (numbers && numbers->empty()) {
        out.clear();
    } else {
        wrong_kind(where, "a list of integers", value);
    }
    for (int64_t integer : out) check_range(integer, kLargestInteger, where);
}

void read_value(const ConfigValue& value, std::vector<double>& out, const std::string& where) {
    if (const auto* numbers = std::get_if<std::vector<double>>(&value)) {
        out = *numbers;
    } else if (const auto* integers = std::get_if<std::vector<int64_t>>(&value)) {
        out.assign(integers->begin(), integers->end());
    } else if (std::holds_alternative<double>(value) || std::holds_alternative<int64_t>(value)) {
        out.clear();
        read_value(value, out.emplace_back(), where);
    } else {
        wrong_kind(where, "a list of numbers", value);
    }
}

void read_value(const ConfigValue& value, ConfigPtr& out, const std::string& where) {
    if (const auto* group = std::get_if<ConfigPtr>(&value)) {
        out = *group;
    } else if (std::holds_alternative<Null>(value)) {
        out = nullptr;
    } else {
        wrong_kind(where, "a group of arguments", value);
    }
}

void FieldReader::finish() const {
    for (const auto& [name, value] : config_.entries()) {
        if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
        if (known_.empty()) fail("[", owner_, "] takes no arguments, got ", quoted(name));
        fail("[", owner_, "] has no argument ", quoted(name), "; ", suggestion(name, known_));
    }
}

}  // namespace striate
