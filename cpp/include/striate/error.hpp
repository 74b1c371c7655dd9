// Exceptions. Each message names who complains, what was expected and what came.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace striate {

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

// Joins anything that can be written to a stream.
template <class... Parts>
std::string concat(const Parts&... parts) {
    std::ostringstream text;
    (text << ... << parts);
    return text.str();
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

}  // namespace striate
