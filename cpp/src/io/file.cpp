#include "io/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "striate/error.hpp"

namespace striate::io {
namespace {

// Linux moves at most 2 GiB less a page at a time; macOS refuses more than 2 GiB - 1.
constexpr size_t kMostBytes = size_t{1} << 30;

[[noreturn]] void fail_file(int code, const std::string& path, const char* what) {
    throw FileError(code, path, concat(what, " (", std::generic_category().message(code), ")"));
}

std::string folder_of(const std::string& path) {
    const std::string folder = std::filesystem::path(path).parent_path().string();
    return folder.empty() ? "." : folder;
}

// Beside the target, so that the rename stays within one file system; no two writers get the same.
std::string temporary_name(const std::string& target) {
    static std::atomic<unsigned> count{0};
    return concat(folder_of(target), "/.striate-", getpid(), "-", count++, ".tmp");
}

}  // namespace

InputFile::InputFile(std::string path) : path_(std::move(path)) {
    constexpr const char* kWhat = "cannot open the file";
    // Without O_NONBLOCK a named pipe would wait for a writer.
    descriptor_ = open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor_ < 0) fail_file(errno, path_, kWhat);
    struct stat status;
    int code = fstat(descriptor_, &status) == 0 ? 0 : errno;
    if (code == 0 && !S_ISREG(status.st_mode)) code = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
    if (code != 0) {
        close(descriptor_);
        fail_file(code, path_, kWhat);
    }
    size_ = static_cast<uint64_t>(status.st_size);
}

InputFile::~InputFile() {
    close(descriptor_);
}

void InputFile::read_at(uint64_t offset, void* out, size_t bytes) const {
    auto* to = static_cast<char*>(out);
    while (bytes > 0) {
        const ssize_t count = pread(descriptor_, to, std::min(bytes, kMostBytes), static_cast<off_t>(offset));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) fail_file(errno, path_, "cannot read the file");
        require(count > 0, "the file ends before byte ", offset + bytes, ": '", path_, "'");
        to += count;
        offset += static_cast<uint64_t>(count);
        bytes -= static_cast<size_t>(count);
    }
}

AtomicFile::AtomicFile(const std::string& path) : path_(path), target_(path) {
    std::error_code ignored;
    if (std::filesystem::is_symlink(path, ignored)) {
        const std::filesystem::path resolved = std::filesystem::weakly_canonical(path, ignored);
        if (!ignored) target_ = resolved.string();
    }
    struct stat existing;
    const bool replaces = stat(target_.c_str(), &existing) == 0;
    if (replaces && !S_ISREG(existing.st_mode)) fail_write(S_ISDIR(existing.st_mode) ? EISDIR : EINVAL);
    do {
        temporary_ = temporary_name(target_);
        descriptor_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    } while (descriptor_ < 0 && errno == EEXIST);
    if (descriptor_ < 0) fail_write(errno);
    // A file system without permissions refuses; the file is then as private as any other there.
    if (replaces) (void)!fchmod(descriptor_, existing.st_mode & 07777);
}

AtomicFile::~AtomicFile() {
    if (descriptor_ >= 0) close(descriptor_);
    if (!temporary_.empty()) unlink(temporary_.c_str());
}

void AtomicFile::fail_write(int code) const {
    fail_file(code, path_, "cannot write the file");
}

void AtomicFile::write(const void* data, size_t bytes) {
    const auto* from = static_cast<const char*>(data);
    while (bytes > 0) {
        const ssize_t count = ::write(descriptor_, from, std::min(bytes, kMostBytes));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) fail_write(errno);
        from += count;
        bytes -= static_cast<size_t>(count);
    }
}

void AtomicFile::commit() {
    if (fsync(descriptor_) != 0) fail_write(errno);
    const int descriptor = descriptor_;
    descriptor_ = -1;
    if (close(descriptor) != 0 && errno != EINTR) fail_write(errno);
    if (rename(temporary_.c_str(), target_.c_str()) != 0) fail_write(errno);
    temporary_.clear();
    // Some file systems cannot flush a folder (EINVAL); the file itself is safe by now.
    const int folder = open(folder_of(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return;
    const bool failed = fsync(folder) != 0 && errno == EIO;
    close(folder);
    if (failed) fail_write(EIO);
}

}  // namespace striate::io
