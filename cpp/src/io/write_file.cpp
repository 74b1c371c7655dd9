#include "io/file.hpp"
#include "striate/error.hpp"
#include "striate/io.hpp"

namespace striate {

void io::check_path(const std::string& path) {
    const size_t null = path.find('\0');
    require(null == std::string::npos, "embedded null byte in a path, after '", path.substr(0, null), "'");
}

void write_file(const std::string& path, const void* data, size_t bytes, bool overwrite, bool flush) {
    io::AtomicFile file(path, overwrite, flush);
    file.write(data, bytes);
    file.commit();
}

}  // namespace striate
