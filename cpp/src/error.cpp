#include "striate/error.hpp"

#include <sstream>

namespace striate::detail {

Part part(const char* text) {
    return {text, [](std::ostream& out, const void* value) { out << static_cast<const char*>(value); }};
}

std::string join(const Part* parts, size_t count) {
    std::ostringstream text;
    for (size_t i = 0; i < count; ++i) parts[i].write(text, parts[i].value);
    return text.str();
}

}  // namespace striate::detail
