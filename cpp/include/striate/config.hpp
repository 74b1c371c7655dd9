// The arguments of a layer, loss or optimizer as data: what a model file stores and what Python hands over. Each class
// lists its arguments once, in `fields`, and reading, writing and checking all follow from that list.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "striate/error.hpp"

namespace striate STRIATE_API {

class Config;
using ConfigPtr = std::shared_ptr<const Config>;

// No value: null in a file, None in Python. It is not trivial to copy on purpose: libstdc++ before version 13 destroys
// a variant that was never made when memory runs out while one of strings, vectors and trivial types alone is copied.
struct Null {
    Null() noexcept {}
    Null(const Null&) noexcept {}
    Null& operator=(const Null&) noexcept { return *this; }
    ~Null() {}
};

using ConfigValue =
    std::variant<Null, bool, int64_t, double, std::string, std::vector<int64_t>, std::vector<double>, ConfigPtr>;

// Named values in the order in which they were set.
class Config {
  public:
    using Entry = std::pair<std::string, ConfigValue>;

    // Null when there is none of that name.
    const ConfigValue* find(const std::string& name) const;
    void set(const std::string& name, ConfigValue value);
    const std::vector<Entry>& entries() const { return entries_; }

  private:
    std::vector<Entry> entries_;
};

// A height and a width; one number means both.
struct Pair {
    int64_t h = 1, w = 1;
    Pair() = default;
    Pair(int64_t both) : h(both), w(both) {}
    Pair(int64_t height, int64_t width) : h(height), w(width) {}
    bool operator==(const Pair& other) const { return h == other.h && w == other.w; }
};

// "number", "list of integers": for messages.
std::string kind_of(const ConfigValue& value);

// Each throws TypeError with `where` in its message when the value is of another kind.
void read_value(const ConfigValue& value, bool& out, const std::string& where);
void read_value(const ConfigValue& value, int64_t& out, const std::string& where);
void read_value(const ConfigValue& value, double& out, const std::string& where);
void read_value(const ConfigValue& value, std::string& out, const std::string& where);
void read_value(const ConfigValue& value, Pair& out, const std::string& where);
void read_value(const ConfigValue& value, std::vector<int64_t>& out, const std::string& where);
void read_value(const ConfigValue& value, std::vector<double>& out, const std::string& where);
void read_value(const ConfigValue& value, ConfigPtr& out, const std::string& where);
template <class T>
void read_value(const ConfigValue& value, std::optional<T>& out, const std::string& where) {
    if (std::holds_alternative<Null>(value)) {
        out.reset();
    } else {
        read_value(value, out.emplace(), where);
    }
}

template <class T>
ConfigValue write_value(const T& value) {
    return value;
}
inline ConfigValue write_value(const Pair& value) {
    return std::vector<int64_t>{value.h, value.w};
}
template <class T>
ConfigValue write_value(const std::optional<T>& value) {
    return value ? write_value(*value) : ConfigValue();
}

// Fills a struct's fields from a config; a field that the config lacks keeps its default.
class FieldReader {
  public:
    FieldReader(const Config& config, std::string owner) : config_(config), owner_(std::move(owner)) {}

    template <class T>
    void operator()(const char* name, T& field) {
        known_.push_back(name);
        if (const ConfigValue* value = config_.find(name)) read_value(*value, field, concat("[", owner_, "] ", name));
    }
    // Throws ValueError when the config names an argument that no field has read.
    void finish() const;

  private:
    const Config& config_;
    std::string owner_;
    std::vector<std::string> known_;
};

class FieldWriter {
  public:
    template <class T>
    void operator()(const char* name, const T& field) {
        config.set(name, write_value(field));
    }
    Config config;
};

template <class Options>
Config write_fields(const Options& options) {
    FieldWriter writer;
    Options::fields(options, writer);
    return std::move(writer.config);
}

template <class Options>
Options read_fields(const Config& config, const std::string& owner) {
    Options options;
    FieldReader reader(config, owner);
    Options::fields(options, reader);
    reader.finish();
    return options;
}

}  // namespace striate STRIATE_API
