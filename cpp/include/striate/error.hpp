// Exceptions. Each message names who complains, what was expected and what came.
#pragma once

#include <cstddef>
#include <ostream>
#include <stdexcept>
#include <string>

#include "striate/export.hpp"

namespace striate STRIATE_API {

// A shape or an argument that does not fit (Python: ValueError).
class ValueError : public std::invalid_argument {
  public:
    using std::invalid_argument::invalid_argument;
};

// A value of the wrong kind (Python: TypeError).
class TypeError : public std::invalid_argument {
  public:
    using std::invalid_argument::invalid_argument;
};

// A file that cannot be opened, read or written (Python: FileNotFoundError or OSError by `code`, an errno).
class FileError : public std::runtime_error {
  public:
    FileError(int code, const std::string& path, const std::string& what)
        : std::runtime_error(what + ": '" + path + "'"), code_(code) {}
    int code() const { return code_; }

  private:
    int code_;
};

// A process that takes part in a training failed, or cannot be reached (Python: DistributedError, a RuntimeError).
class DistributedError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

namespace detail {
// A part of a message and how to write it. Messages are many and rarely made, so that a call of concat() compiles to no
// more than a list of these.
struct Part {
    const void* value;
    void (*write)(std::ostream& out, const void* value);
};
template <class T>
Part part(const T& value) {
    return {&value, [](std::ostream& out, const void* v) { out << *static_cast<const T*>(v); }};
}
Part part(const char* text);  // of any length
std::string join(const Part* parts, size_t count);
}  // namespace detail

// Joins anything that can be written to a stream.
template <class... Parts>
std::string concat(const Parts&... parts) {
    const detail::Part list[] = {detail::part(parts)...};
    return detail::join(list, sizeof...(parts));
}

template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
    throw ValueError(concat(parts...));
}

// fail() unless `condition` holds. The message is only built when it fails.
template <class... Parts>
void require(bool condition, const Parts&... parts) {
    if (!condition) fail(parts...);
}

}  // namespace striate STRIATE_API
