// file.hpp on Windows. Paths are UTF-8, as everywhere in the core, and become UTF-16 here.
#include <fcntl.h>
#include <io.h>
#include <process.h>
#include <sys/stat.h>
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "io/file.hpp"
#include "striate/error.hpp"

namespace striate::io {
namespace {

constexpr size_t kMostBytes = size_t{1} << 30;  // the calls below count in 32 bits

[[noreturn]] void fail_file(int code, const std::string& path, const char* what) {
    throw FileError(code, path, concat(what, " (", std::generic_category().message(code), ")"));
}

// The errno that comes nearest to what a call of the system, not of C, left behind.
int last_error() {
    switch (GetLastError()) {
        case ERROR_FILE_NOT_FOUND:
        case ERROR_PATH_NOT_FOUND:
            return ENOENT;
        case ERROR_ACCESS_DENIED:
        case ERROR_SHARING_VIOLATION:
        case ERROR_LOCK_VIOLATION:
            return EACCES;
        case ERROR_DISK_FULL:
            return ENOSPC;
        default:
            return EIO;
    }
}

std::filesystem::path native(const std::string& path) {
    return std::filesystem::path(std::u8string(path.begin(), path.end()));
}
std::string utf8(const std::filesystem::path& path) {
    const std::u8string text = path.u8string();
    return std::string(text.begin(), text.end());
}

// Beside the target, so that the rename stays within one file system; no two writers get the same.
std::string temporary_name(const std::string& target) {
    static std::atomic<unsigned> count{0};
    const std::filesystem::path folder = native(target).parent_path();
    return concat(folder.empty() ? "." : utf8(folder), "/.striate-", _getpid(), "-", count++, ".tmp");
}

}  // namespace

InputFile::InputFile(std::string path) : path_(std::move(path)) {
    constexpr const char* kWhat = "cannot open the file";
    std::error_code ignored;
    if (std::filesystem::is_directory(native(path_), ignored)) fail_file(EISDIR, path_, kWhat);
    descriptor_ = _wopen(native(path_).c_str(), _O_RDONLY | _O_BINARY | _O_NOINHERIT);
    if (descriptor_ < 0) fail_file(errno, path_, kWhat);
    struct _stat64 status;
    int code = _fstat64(descriptor_, &status) == 0 ? 0 : errno;
    if (code == 0 && (status.st_mode & _S_IFMT) != _S_IFREG) code = EINVAL;
    if (code != 0) {
        _close(descriptor_);
        fail_file(code, path_, kWhat);
    }
    size_ = static_cast<uint64_t>(status.st_size);
}

InputFile::~InputFile() {
    _close(descriptor_);
}

void InputFile::read_at(uint64_t offset, void* out, size_t bytes) const {
    auto* to = static_cast<char*>(out);
    const auto handle = reinterpret_cast<HANDLE>(_get_osfhandle(descriptor_));
    while (bytes > 0) {
        OVERLAPPED place{};
        place.Offset = static_cast<DWORD>(offset);
        place.OffsetHigh = static_cast<DWORD>(offset >> 32);
        DWORD count = 0;
        const bool read = ReadFile(handle, to, static_cast<DWORD>(std::min(bytes, kMostBytes)), &count, &place) != 0;
        if (!read && GetLastError() != ERROR_HANDLE_EOF) fail_file(last_error(), path_, "cannot read the file");
        require(count > 0, "the file ends before byte ", offset + bytes, ": '", path_, "'");
        to += count;
        offset += count;
        bytes -= count;
    }
}

AtomicFile::AtomicFile(const std::string& path) : path_(path), target_(path) {
    std::error_code ignored;
    if (std::filesystem::is_symlink(native(path), ignored)) {
        const std::filesystem::path resolved = std::filesystem::weakly_canonical(native(path), ignored);
        if (!ignored) target_ = utf8(resolved);
    }
    const std::filesystem::file_status existing = std::filesystem::status(native(target_), ignored);
    if (std::filesystem::is_directory(existing)) fail_write(EISDIR);
    if (std::filesystem::exists(existing) && !std::filesystem::is_regular_file(existing)) fail_write(EINVAL);
    do {
        temporary_ = temporary_name(target_);
        descriptor_ = _wopen(native(temporary_).c_str(), _O_WRONLY | _O_CREAT | _O_EXCL | _O_BINARY | _O_NOINHERIT,
                             _S_IREAD | _S_IWRITE);
    } while (descriptor_ < 0 && errno == EEXIST);
    if (descriptor_ < 0) fail_write(errno);
}

AtomicFile::~AtomicFile() {
    if (descriptor_ >= 0) _close(descriptor_);
    if (!temporary_.empty()) _wunlink(native(temporary_).c_str());
}

void AtomicFile::fail_write(int code) const {
    fail_file(code, path_, "cannot write the file");
}

void AtomicFile::write(const void* data, size_t bytes) {
    const auto* from = static_cast<const char*>(data);
    while (bytes > 0) {
        const int count = _write(descriptor_, from, static_cast<unsigned>(std::min(bytes, kMostBytes)));
        if (count < 0) fail_write(errno);
        from += count;
        bytes -= static_cast<size_t>(count);
    }
}

void AtomicFile::commit() {
    if (_commit(descriptor_) != 0) fail_write(errno);
    const int descriptor = descriptor_;
    descriptor_ = -1;
    if (_close(descriptor) != 0) fail_write(errno);
    // Writes through to the disk; folders cannot be flushed here.
    if (!MoveFileExW(native(temporary_).c_str(), native(target_).c_str(),
                     MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH))
        fail_write(last_error());
    temporary_.clear();
}

}  // namespace striate::io
