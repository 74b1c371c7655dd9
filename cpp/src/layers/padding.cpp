#include "striate/layers/padding.hpp"

namespace striate {

void read_value(const ConfigValue& value, Padding& out, const std::string& where) {
    out = {};
    if (std::holds_alternative<std::string>(value)) return read_value(value, out.mode, where);
    out.mode.clear();
    read_value(value, out.margins, where);
}

ConfigValue write_value(const Padding& value) {
    if (value.margins.empty()) return value.mode;
    return value.margins;
}

}  // namespace striate
