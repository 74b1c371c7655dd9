#include "io/leftovers.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <map>
#include <mutex>
#include <string_view>
#include <utility>

#ifdef __APPLE__
#include <sys/sysctl.h>
#endif

namespace striate::io {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view kBegin = ".striate-", kEnd = ".tmp";
constexpr int kShare = 100;  // looking takes at most one part in so many of the time
constexpr time_t kDay = 24 * 60 * 60;
constexpr size_t kMaxFolders = 256;

// What tells this start of this machine from others. Containers share the kernel, its locks, and this.
std::string machine() {
    char text[256] = "";
#ifdef __APPLE__
    size_t size = sizeof text;
    if (sysctlbyname("kern.bootsessionuuid", text, &size, nullptr, 0) == 0) return text;
#else
    const int file = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        const ssize_t count = read(file, text, sizeof text);
        close(file);
        if (count > 0) return std::string(text, static_cast<size_t>(count));
    }
#endif
    return gethostname(text, sizeof text - 1) == 0 ? text : "";
}

const std::string& host() {
    static const std::string& name = *new std::string([] {
        uint32_t hash = 2166136261u;  // FNV-1a
        for (const char c : machine()) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
        char digits[16];
        std::snprintf(digits, sizeof digits, "%08x", static_cast<unsigned>(hash));
        return std::string(digits);
    }());
    return name;
}

bool is_temporary(std::string_view name) {
    return name.size() > kBegin.size() + kEnd.size() && name.starts_with(kBegin) && name.ends_with(kEnd) &&
           name.find_first_not_of("0123456789abcdef-", kBegin.size()) == name.size() - kEnd.size();
}

bool is_of_this_host(std::string_view name) noexcept {
    const std::string& own = host();
    name.remove_prefix(kBegin.size());
    return name.size() > own.size() && name.starts_with(own) && name[own.size()] == '-';
}

bool lock(int file) {
    int result = flock(file, LOCK_EX | LOCK_NB);
    while (result != 0 && errno == EINTR) result = flock(file, LOCK_EX | LOCK_NB);
    return result == 0;
}

// Takes no memory, so that it throws nothing. With the lock in hand the file's writer is dead, or has yet to lock it
// and will then see that it is gone.
void remove_if_left(int folder, const char* name) noexcept {
    const int file = openat(folder, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0) return;
    struct stat held, named;
    if (fstat(file, &held) == 0 && S_ISREG(held.st_mode) &&
        (is_of_this_host(name) || held.st_mtime < time(nullptr) - kDay) && lock(file) &&
        fstatat(folder, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && named.st_dev == held.st_dev &&
        named.st_ino == held.st_ino)
        unlinkat(folder, name, 0);
    close(file);
}

void look_through(int folder) {
    const int own = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (own < 0) return;
    DIR* entries = fdopendir(own);
    if (!entries) {
        close(own);
        return;
    }
    while (const dirent* entry = readdir(entries))
        if (is_temporary(entry->d_name)) remove_if_left(folder, entry->d_name);
    closedir(entries);
}

}  // namespace

std::string temporary_name() {
    static std::atomic<unsigned> count{0};
    return std::string(kBegin) + host() + "-" + std::to_string(getpid()) + "-" + std::to_string(count++) +
           std::string(kEnd);
}

bool claim_temporary(int file) {
    if (!lock(file) && errno == EWOULDBLOCK) return false;  // other errors: a file system without locks
    struct stat status;
    return fstat(file, &status) != 0 || status.st_nlink > 0;
}

void remove_leftovers(int folder) noexcept try {
    static auto& mutex = *new std::mutex;
    static auto& due = *new std::map<std::pair<dev_t, ino_t>, Clock::time_point>;
    struct stat status;
    if (fstat(folder, &status) != 0 || host().empty()) return;  // host() takes memory at its first call
    // In a forked child the mutex may be held by a thread that is not there.
    const std::unique_lock<std::mutex> held(mutex, std::try_to_lock);
    if (!held) return;
    const auto begin = Clock::now();
    if (due.size() >= kMaxFolders) due.clear();
    Clock::time_point& next = due[{status.st_dev, status.st_ino}];
    if (begin < next) return;
    look_through(folder);
    const auto end = Clock::now();
    next = end + kShare * (end - begin);
} catch (...) {  // no memory: the leftovers stay for another time
}

}  // namespace striate::io
