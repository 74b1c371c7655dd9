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
#include <chrono>
#include <filesystem>
#include <system_error>

#include "io/file.hpp"
#include "striate/error.hpp"

namespace striate::io {
namespace {

constexpr size_t kMaxBytes = size_t{1} << 30;  // the calls below count in 32 bits

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
        case ERROR_FILE_EXISTS:
        case ERROR_ALREADY_EXISTS:
            return EEXIST;
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

constexpr int kMaxLinks = 40;
constexpr const char* kBegin = ".striate-";
constexpr const char* kEnd = ".tmp";

std::filesystem::path folder_of(const std::filesystem::path& target) {
    const std::filesystem::path folder = target.parent_path();
    return folder.empty() ? "." : folder;
}

std::string temporary_name() {
    static std::atomic<unsigned> count{0};
    return concat(kBegin, _getpid(), "-", count++, kEnd);
}

// Temporary files that have not been written for a day. Those of living processes are open and cannot be removed, but
// for a moment before they are renamed.
void remove_leftovers(const std::filesystem::path& folder) {
    namespace fs = std::filesystem;
    std::error_code failed;
    for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end; entry.increment(failed)) {
        const std::string name = utf8(entry->path().filename());
        if (!name.starts_with(kBegin) || !name.ends_with(kEnd)) continue;
        std::error_code ignored;
        const fs::file_time_type written = entry->last_write_time(ignored);
        if (!ignored && written < fs::file_time_type::clock::now() - std::chrono::hours(24))
            fs::remove(entry->path(), ignored);
    }
}

}  // namespace

InputFile::InputFile(std::string path) : path_(std::move(path)) {
    constexpr const char* kWhat = "cannot open the file";
    check_path(path_);
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
        const bool read = ReadFile(handle, to, static_cast<DWORD>(std::min(bytes, kMaxBytes)), &count, &place) != 0;
        if (!read && GetLastError() != ERROR_HANDLE_EOF) fail_file(last_error(), path_, "cannot read the file");
        require(count > 0, "the file ends before byte ", offset + bytes, ": '", path_, "'");
        to += count;
        offset += count;
        bytes -= count;
    }
}

void AtomicFile::Descriptor::reset(int next) {
    if (value >= 0) _close(value);
    value = next;
}

AtomicFile::AtomicFile(const std::string& path, bool overwrite, bool flush)
    : path_(path), overwrite_(overwrite), flush_(flush) {
    namespace fs = std::filesystem;
    check_path(path);
    std::error_code ignored;
    fs::path target = native(path);
    if (!overwrite && fs::exists(fs::symlink_status(target, ignored))) fail_write(EEXIST);
    for (int links = 0; fs::is_symlink(target, ignored); ++links) {
        if (links == kMaxLinks) fail_write(ELOOP);
        const fs::path to = fs::read_symlink(target, ignored);
        if (ignored) fail_write(EINVAL);
        target = folder_of(target) / to;  // `to` alone where it is absolute
    }
    const fs::file_status existing = fs::status(target, ignored);
    if (fs::is_directory(existing)) fail_write(EISDIR);
    if (fs::exists(existing) && !fs::is_regular_file(existing)) fail_write(EINVAL);
    if (fs::exists(existing) && _waccess(target.c_str(), 2) != 0) fail_write(errno);
    target_ = utf8(target);
    remove_leftovers(folder_of(target));
    create_temporary();
}

void AtomicFile::create_temporary() {
    do {
        temporary_ = utf8(folder_of(native(target_)) / temporary_name());
        file_.reset(_wopen(native(temporary_).c_str(), _O_WRONLY | _O_CREAT | _O_EXCL | _O_BINARY | _O_NOINHERIT,
                           _S_IREAD | _S_IWRITE));
    } while (file_.value < 0 && errno == EEXIST);
    if (file_.value >= 0) return;
    temporary_.clear();
    fail_write(errno, "cannot write the file: its folder takes no new file");
}

AtomicFile::~AtomicFile() {
    file_.reset(-1);
    if (temporary_.empty()) return;
    try {
        _wunlink(native(temporary_).c_str());
    } catch (const std::bad_alloc&) {  // it stays, as that of a killed process
    }
}

void AtomicFile::fail_write(int code, const char* what) const {
    if (code == EEXIST) throw FileError(code, path_, "the file already exists; pass overwrite=True to replace it");
    fail_file(code, path_, what);
}

void AtomicFile::write(const void* data, size_t bytes) {
    const auto* from = static_cast<const char*>(data);
    while (bytes > 0) {
        const int count = _write(file_.value, from, static_cast<unsigned>(std::min(bytes, kMaxBytes)));
        if (count <= 0) fail_write(count < 0 ? errno : ENOSPC);
        from += count;
        bytes -= static_cast<size_t>(count);
    }
}

void AtomicFile::commit() {
    if (flush_ && _commit(file_.value) != 0) fail_write(errno);
    const int descriptor = file_.value;
    file_.value = -1;
    if (_close(descriptor) != 0) fail_write(errno);
    // Writes through to the disk; folders cannot be flushed here.
    const DWORD flags = (overwrite_ ? MOVEFILE_REPLACE_EXISTING : 0u) | (flush_ ? MOVEFILE_WRITE_THROUGH : 0u);
    if (!MoveFileExW(native(temporary_).c_str(), native(target_).c_str(), flags)) fail_write(last_error());
    temporary_.clear();
}

}  // namespace striate::io
