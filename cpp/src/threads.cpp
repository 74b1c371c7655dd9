#include "threads.hpp"

#ifdef __linux__
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <new>
#include <sstream>
#include <system_error>
#include <vector>

#include "striate/error.hpp"
#include "striate/runtime.hpp"
#include "suggest.hpp"

namespace striate {
namespace {

// The CPUs of one control group's "quota period", in microseconds.
std::optional<int> cpus_of(double quota, double period) {
    if (!(quota > 0) || !(period > 0)) return std::nullopt;
    return static_cast<int>(std::clamp(std::ceil(quota / period), 1.0, static_cast<double>(kMaxThreads)));
}

// Version 2: "max 100000" or "150000 100000".
std::optional<int> quota_v2(const std::string& folder) {
    std::ifstream file(folder + "/cpu.max");
    double quota = 0, period = 0;
    if (!(file >> quota >> period)) return std::nullopt;
    return cpus_of(quota, period);
}

// Version 1: a quota of -1 means none.
std::optional<int> quota_v1(const std::string& folder) {
    std::ifstream quota_file(folder + "/cpu.cfs_quota_us"), period_file(folder + "/cpu.cfs_period_us");
    double quota = 0, period = 0;
    if (!(quota_file >> quota) || !(period_file >> period)) return std::nullopt;
    return cpus_of(quota, period);
}

bool lists_cpu(const std::string& controllers) {
    std::istringstream names(controllers);
    for (std::string name; std::getline(names, name, ',');)
        if (name == "cpu") return true;
    return false;
}

int affinity_count() {
#ifdef __linux__
    // Machines with more CPUs than cpu_set_t holds need a larger set.
    for (int cpus = CPU_SETSIZE; cpus <= 1 << 16; cpus *= 2) {
        cpu_set_t* set = CPU_ALLOC(cpus);
        if (!set) break;
        const size_t size = CPU_ALLOC_SIZE(cpus);
        CPU_ZERO_S(size, set);
        const bool known = sched_getaffinity(0, size, set) == 0;
        const int count = known ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (known) return count;
    }
#endif
    return 0;
}

}  // namespace

int parse_num_threads(const std::string& text) {
    int count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    require(error == std::errc() && end == text.data() + text.size() && count >= 1 && count <= kMaxThreads,
            "the environment variable STRIATE_NUM_THREADS must be a whole number from 1 to ", kMaxThreads, ", got ",
            quoted(text), "; set it to one or unset it");
    return count;
}

std::optional<int> cgroup_cpu_quota(const std::string& root) {
    std::optional<int> least;
    std::ifstream groups(root + "/proc/self/cgroup");
    // "hierarchy:controllers:path"; version 2 has no controllers there.
    for (std::string line; std::getline(groups, line);) {
        const size_t first = line.find(':'), second = line.find(':', first + 1);
        if (first == std::string::npos || second == std::string::npos) continue;
        const std::string controllers = line.substr(first + 1, second - first - 1);
        const bool v2 = controllers.empty();
        if (!v2 && !lists_cpu(controllers)) continue;
        const std::string mount = root + "/sys/fs/cgroup" + (v2 ? "" : "/cpu");
        // Every group from this process's up to the root may set a limit; within a container the path may be the
        // host's, and then only the root exists.
        std::string path = line.substr(second + 1);
        while (true) {
            while (!path.empty() && path.back() == '/') path.pop_back();
            const std::optional<int> quota = v2 ? quota_v2(mount + path) : quota_v1(mount + path);
            if (quota) least = std::min(*quota, least.value_or(*quota));
            if (path.empty()) break;
            const size_t slash = path.rfind('/');
            path.resize(slash == std::string::npos ? 0 : slash);
        }
    }
    return least;
}

int omp_num_threads(const std::string& text) {
    int count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    const std::string rest(end, text.data() + text.size());
    const size_t next = rest.find_first_not_of(' ');
    const bool whole = next == std::string::npos || rest[next] == ',';
    return error == std::errc() && whole ? std::clamp(count, 0, kMaxThreads) : 0;
}

int default_num_threads() {
    if (const char* text = std::getenv("STRIATE_NUM_THREADS"); text && *text) return parse_num_threads(text);
    const char* const omp = std::getenv("OMP_NUM_THREADS");
    int count = 0;
    for (int limit : {static_cast<int>(std::thread::hardware_concurrency()), affinity_count(),
                      cgroup_cpu_quota().value_or(0), omp ? omp_num_threads(omp) : 0})
        if (limit > 0) count = count > 0 ? std::min(count, limit) : limit;
    return std::clamp(count, 1, kMaxThreads);
}

namespace {

// A thread that has ended counts for the kernel's limits for a little longer: until its number is unknown.
void wait_until_gone([[maybe_unused]] const std::vector<int>& threads) {
#ifdef __linux__
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(100);
    for (const int thread : threads)
        while (syscall(SYS_tgkill, getpid(), thread, 0) == 0 && std::chrono::steady_clock::now() < end)
            std::this_thread::yield();
#endif
}

}  // namespace

int startable_threads(int count) {
    std::vector<int> numbers(static_cast<size_t>(count));
    std::vector<std::thread> threads;
    threads.reserve(static_cast<size_t>(count));
    std::atomic<bool> end{false};
    try {
        for (int& number : numbers)
            threads.push_back(quiet_thread([&end, &number] {
#ifdef __linux__
                number = static_cast<int>(syscall(SYS_gettid));
#else
                number = 0;
#endif
                end.wait(false);
            }));
    } catch (const std::system_error&) {
    } catch (const std::bad_alloc&) {
    }
    end = true;
    end.notify_all();
    for (std::thread& thread : threads) thread.join();
    numbers.resize(threads.size());
    wait_until_gone(numbers);
    return static_cast<int>(threads.size());
}

void warn_of_few_threads(const std::string& consequence) {
    static std::atomic<bool> said{false};
    if (said.exchange(true)) return;
    warn("no further thread could be started (the limit of the container or of the user's processes is reached); " +
         consequence + "; raise the limit, or call set_num_threads with fewer");
}

}  // namespace striate
