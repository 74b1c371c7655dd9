#include "io/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "io/leftovers.hpp"
#include "striate/error.hpp"

namespace striate::io {
namespace {

// Linux moves at most 2 GiB less a page at a time; macOS refuses more than 2 GiB - 1.
constexpr size_t kMaxBytes = size_t{1} << 30;
constexpr int kMaxLinks = 40;

[[noreturn]] void fail_file(int code, const std::string& path, const char* what) {
    throw FileError(code, path, concat(what, " (", std::generic_category().message(code), ")"));
}

// The result of a call that signals may interrupt.
template <class Call>
auto uninterrupted(Call call) {
    auto result = call();
    while (result < 0 && errno == EINTR) result = call();
    return result;
}

std::string folder_of(const std::string& path) {
    const size_t slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

// The path to which symbolic links lead, also where nothing is there yet; 0, or an errno.
int follow_links(std::string& path) {
    std::string to(4096, '\0');
    for (int links = 0; links <= kMaxLinks; ++links) {
        const ssize_t length = readlink(path.c_str(), to.data(), to.size());
        if (length < 0) return 0;  // no link, or not there; the next call on it says which
        if (static_cast<size_t>(length) == to.size()) return ENAMETOOLONG;
        const std::string next = to.substr(0, static_cast<size_t>(length));
        path = next.starts_with('/') ? next : folder_of(path) + "/" + next;
    }
    return ELOOP;
}

// False for a link of /proc to a file that was removed: it leads to no name that could be replaced. Other writers may
// replace the file between the two calls, so a difference counts only if it stays.
bool lead_to_one_file(const std::string& link, const std::string& target) {
    constexpr int kMaxTries = 100;
    struct stat one, other;
    for (int i = 0; i < kMaxTries; ++i) {
        if (stat(link.c_str(), &one) != 0 || stat(target.c_str(), &other) != 0) return false;
        if (one.st_dev == other.st_dev && one.st_ino == other.st_ino) return true;
    }
    return false;
}

bool has_no_links(int code) {
    return code == EPERM || code == ENOTSUP || code == EOPNOTSUPP || code == ENOSYS;
}

}  // namespace

InputFile::InputFile(std::string path) : path_(std::move(path)) {
    constexpr const char* kWhat = "cannot open the file";
    check_path(path_);
    // Without O_NONBLOCK a named pipe would wait for a writer.
    descriptor_ = uninterrupted([&] { return open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); });
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
        const ssize_t count = pread(descriptor_, to, std::min(bytes, kMaxBytes), static_cast<off_t>(offset));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) fail_file(errno, path_, "cannot read the file");
        require(count > 0, "the file ends before byte ", offset + bytes, ": '", path_, "'");
        to += count;
        offset += static_cast<uint64_t>(count);
        bytes -= static_cast<size_t>(count);
    }
}

void AtomicFile::Descriptor::reset(int next) {
    if (value >= 0) close(value);
    value = next;
}

AtomicFile::AtomicFile(const std::string& path, bool overwrite, bool flush)
    : path_(path), overwrite_(overwrite), flush_(flush) {
    check_path(path);
    struct stat existing;
    if (!overwrite && lstat(path.c_str(), &existing) == 0) fail_write(EEXIST);
    const bool replaces = stat(path.c_str(), &existing) == 0;
    if (!replaces && errno != ENOENT) fail_write(errno);
    if (replaces && (S_ISCHR(existing.st_mode) || S_ISFIFO(existing.st_mode))) {
        // Nothing is there that could be lost. Without O_NONBLOCK a pipe without a reader would wait for one.
        in_place_ = true;
        file_.reset(uninterrupted([&] { return open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); }));
        if (file_.value < 0) fail_write(errno);
        (void)!fcntl(file_.value, F_SETFL, 0);
        return;
    }
    if (replaces && !S_ISREG(existing.st_mode)) fail_write(S_ISDIR(existing.st_mode) ? EISDIR : EINVAL);

    std::string target = path;
    if (const int code = follow_links(target)) fail_write(code);
    if (replaces && target != path && !lead_to_one_file(path, target)) fail_write(EINVAL);
    // A file that open() would refuse to write is not replaced either.
    if (replaces && faccessat(AT_FDCWD, target.c_str(), W_OK, AT_EACCESS) != 0) fail_write(errno);
    target_ = target.substr(target.rfind('/') + 1);  // all of it where there is no '/'
    if (target_.empty()) fail_write(path.empty() ? ENOENT : EISDIR);

    // All else goes by the folder's descriptor: neither a long path nor a change of the working folder matters then.
    const std::string folder = folder_of(target);
    const auto open_folder = [&](int flags) {
        folder_.reset(uninterrupted([&] { return open(folder.c_str(), flags | O_DIRECTORY | O_CLOEXEC); }));
    };
    open_folder(O_RDONLY);
#ifdef O_PATH
    if (folder_.value < 0 && errno == EACCES) open_folder(O_PATH);  // it may be written and not be listed
#endif
    if (folder_.value < 0) fail_write(errno);
    remove_leftovers(folder_.value);
    create_temporary();
    if (!replaces) return;
    // A file system without owners or permissions refuses; the file is then like any other there.
    struct stat found;
    const bool own =
        fstat(file_.value, &found) == 0 && found.st_uid == existing.st_uid && found.st_gid == existing.st_gid;
    const bool owned = own || fchown(file_.value, existing.st_uid, existing.st_gid) == 0;
    (void)!fchmod(file_.value, existing.st_mode & (owned ? 07777 : 0777));
}

void AtomicFile::create_temporary() {
    constexpr const char* kWhat = "cannot write the file: its folder takes no new file";
    for (;;) {
        std::string name = temporary_name();
        file_.reset(uninterrupted(
            [&] { return openat(folder_.value, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666); }));
        if (file_.value >= 0) {
            temporary_ = std::move(name);
            // Another process that took the file for a leftover has removed it, or is about to.
            if (claim_temporary(file_.value)) return;
            unlinkat(folder_.value, temporary_.c_str(), 0);
            temporary_.clear();
        } else if (errno != EEXIST) {
            fail_write(errno, kWhat);
        }
    }
}

AtomicFile::~AtomicFile() {
    // Before the lock goes with the descriptor.
    if (!temporary_.empty()) unlinkat(folder_.value, temporary_.c_str(), 0);
}

void AtomicFile::fail_write(int code, const char* what) const {
    if (code == EEXIST) throw FileError(code, path_, "the file already exists; pass overwrite=True to replace it");
    fail_file(code, path_, what);
}

void AtomicFile::write(const void* data, size_t bytes) {
    const auto* from = static_cast<const char*>(data);
    while (bytes > 0) {
        const ssize_t count = uninterrupted([&] { return ::write(file_.value, from, std::min(bytes, kMaxBytes)); });
        if (count <= 0) fail_write(count < 0 ? errno : EIO);
        from += count;
        bytes -= static_cast<size_t>(count);
    }
}

void AtomicFile::commit() {
    if (in_place_) return;
    if (flush_) {
        if (uninterrupted([&] { return fsync(file_.value); }) != 0) fail_write(errno);
    } else {
        // Network file systems report failed writes at close(). The file itself stays open: with it goes the lock.
        const int copy = fcntl(file_.value, F_DUPFD_CLOEXEC, 0);
        if (copy >= 0 && close(copy) != 0 && errno != EINTR) fail_write(errno);
    }
    const auto rename_to_target = [&] {
        if (renameat(folder_.value, temporary_.c_str(), folder_.value, target_.c_str()) != 0) fail_write(errno);
    };
    if (overwrite_) {
        rename_to_target();
    } else if (linkat(folder_.value, temporary_.c_str(), folder_.value, target_.c_str(), 0) == 0) {
        unlinkat(folder_.value, temporary_.c_str(), 0);
    } else if (has_no_links(errno)) {
        struct stat existing;
        if (fstatat(folder_.value, target_.c_str(), &existing, AT_SYMLINK_NOFOLLOW) == 0) fail_write(EEXIST);
        rename_to_target();
    } else {
        fail_write(errno);
    }
    temporary_.clear();
    // Some file systems cannot flush a folder (EINVAL); the file itself is safe by now.
    if (flush_ && uninterrupted([&] { return fsync(folder_.value); }) != 0 && errno == EIO) fail_write(EIO);
}

}  // namespace striate::io
