// Threads by environment, affinity and control groups; seeds; what the runtime says of itself.
#include <sys/stat.h>
#include <unistd.h>

#ifdef __linux__
#include <sched.h>
#endif

#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "check.hpp"
#include "cpu/x86.hpp"
#include "striate/error.hpp"
#include "striate/runtime.hpp"
#include "threads.hpp"

using namespace striate;

namespace {

constexpr const char* kVariable = "STRIATE_NUM_THREADS";

// A file system with the given files, removed at the end.
class Root {
  public:
    Root() {
        std::string pattern = (std::filesystem::temp_directory_path() / "striate-test-XXXXXX").string();
        if (!mkdtemp(pattern.data())) std::abort();
        path = pattern;
    }
    ~Root() { std::filesystem::remove_all(path); }
    Root& file(const std::string& name, const std::string& text) {
        std::filesystem::create_directories(std::filesystem::path(path + name).parent_path());
        std::ofstream(path + name) << text;
        return *this;
    }
    std::string path;
};

TEST_CASE("the number of threads follows the environment") {
    CHECK(parse_num_threads("1") == 1);
    CHECK(parse_num_threads("8") == 8);
    CHECK(parse_num_threads("1024") == 1024);
    for (const char* wrong : {"0", "-1", "1025", "two", "", " 2", "2 ", "2.0", "1e1", "+3", "99999999999999999999"})
        CHECK_THROWS_WITH_AS(parse_num_threads(wrong),
                             Contains("the environment variable STRIATE_NUM_THREADS must be a whole number from 1 to"),
                             ValueError);
    CHECK_THROWS_WITH_AS(parse_num_threads("two"), Contains("got 'two'"), ValueError);
    CHECK(omp_num_threads("3") == 3);
    CHECK(omp_num_threads("4,2") == 4);
    CHECK(omp_num_threads("5 , 1") == 5);
    for (const char* wrong : {"", "two", "1x", "0", "-3"}) CHECK(omp_num_threads(wrong) == 0);

    setenv(kVariable, "7", 1);
    CHECK(default_num_threads() == 7);
    setenv(kVariable, "many", 1);
    CHECK_THROWS_WITH_AS(get_num_threads(), Contains("STRIATE_NUM_THREADS"), ValueError);
    CHECK_THROWS_WITH_AS(get_num_threads(), Contains("got 'many'"), ValueError);
    setenv(kVariable, "3", 1);
    CHECK(get_num_threads() == 3);
    setenv(kVariable, "5", 1);
    CHECK(get_num_threads() == 3);  // chosen once

    set_num_threads(2);
    CHECK(get_num_threads() == 2);
    CHECK(runtime_info().threads == 2);
    for (int wrong : {0, -1, 1025})
        CHECK_THROWS_WITH_AS(set_num_threads(wrong), Contains("count must be from 1 to 1024, got "), ValueError);
    CHECK(get_num_threads() == 2);

    setenv(kVariable, "", 1);  // as good as unset
    const int by_machine = default_num_threads();
    unsetenv(kVariable);
    CHECK(by_machine == default_num_threads());
    CHECK(by_machine >= 1);
    CHECK(by_machine <= kMaxThreads);
    const int cpus = static_cast<int>(std::thread::hardware_concurrency());
    CHECK((cpus == 0 || by_machine <= cpus));
}

TEST_CASE("the number of threads follows the affinity mask") {
#ifdef __linux__
    cpu_set_t before, one;
    if (sched_getaffinity(0, sizeof before, &before) != 0) return;
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (!CPU_ISSET(cpu, &before)) continue;
        CPU_SET(cpu, &one);
        break;
    }
    if (sched_setaffinity(0, sizeof one, &one) != 0) return;
    CHECK(default_num_threads() == 1);
    sched_setaffinity(0, sizeof before, &before);
#endif
}

TEST_CASE("the number of threads follows the quota of control groups, version 2") {
    const std::string self = "/proc/self/cgroup", mount = "/sys/fs/cgroup";
    CHECK(!cgroup_cpu_quota(Root().path));
    CHECK(!cgroup_cpu_quota(Root().file(self, "0::/\n").path));
    CHECK(!cgroup_cpu_quota(Root().file(self, "0::/\n").file(mount + "/cpu.max", "max 100000\n").path));
    CHECK(cgroup_cpu_quota(Root().file(self, "0::/\n").file(mount + "/cpu.max", "200000 100000\n").path) == 2);
    CHECK(cgroup_cpu_quota(Root().file(self, "0::/\n").file(mount + "/cpu.max", "250000 100000\n").path) == 3);
    CHECK(cgroup_cpu_quota(Root().file(self, "0::/\n").file(mount + "/cpu.max", "1000 100000\n").path) == 1);
    // The least of a group's and its parents' limits counts.
    Root nested;
    nested.file(self, "0::/a/b\n")
        .file(mount + "/a/b/cpu.max", "max 100000")
        .file(mount + "/a/cpu.max", "300000 100000");
    CHECK(cgroup_cpu_quota(nested.path) == 3);
    CHECK(cgroup_cpu_quota(nested.file(mount + "/cpu.max", "100000 100000").path) == 1);
    CHECK(cgroup_cpu_quota(nested.file(mount + "/cpu.max", "900000 100000").path) == 3);
    for (const char* damaged : {"", "x y", "100000", "0 100000", "100000 0", "-5 100000"})
        CHECK(!cgroup_cpu_quota(Root().file(self, "0::/\n").file(mount + "/cpu.max", damaged).path));
    for (const char* damaged : {"", "\n", "0", "0:", "::", "nonsense\n"})
        CHECK(!cgroup_cpu_quota(Root().file(self, damaged).path));
}

TEST_CASE("the number of threads follows the quota of control groups, version 1") {
    const std::string self = "/proc/self/cgroup", mount = "/sys/fs/cgroup/cpu";
    const std::string groups = "12:memory:/docker/x\n4:cpuset:/docker/x\n3:cpu,cpuacct:/docker/x\n0::/docker/x\n";
    const auto with = [&](const std::string& folder, const char* quota) {
        Root root;
        root.file(self, groups)
            .file(folder + "/cpu.cfs_quota_us", quota)
            .file(folder + "/cpu.cfs_period_us", "50000\n");
        return cgroup_cpu_quota(root.path);
    };
    CHECK(with(mount + "/docker/x", "100000\n") == 2);
    CHECK(with(mount, "75000\n") == 2);  // in a container that sees its own group as the root
    CHECK(!with(mount, "-1\n"));
    CHECK(!with("/sys/fs/cgroup/memory", "75000\n"));
}

TEST_CASE("seeds are reproducible") {
    set_seed(42);
    const uint64_t first = next_seed(), second = next_seed();
    set_seed(42);
    CHECK(next_seed() == first);
    CHECK(next_seed() == second);
    CHECK(first != second);
    set_seed(43);
    CHECK(next_seed() != first);
    set_seed(0);
    std::set<uint64_t> seen;
    for (int i = 0; i < 1000; ++i) seen.insert(next_seed());
    CHECK(seen.size() == 1000);
}

TEST_CASE("information about the runtime") {
    const RuntimeInfo info = runtime_info();
    CHECK(!info.version.empty());
    CHECK(info.version.find('.') != std::string::npos);
    CHECK(!info.compiler.empty());
    CHECK(!info.openmp.empty());
    CHECK(std::find(info.available_isas.begin(), info.available_isas.end(), info.isa) != info.available_isas.end());
    // The last that was built is the platform's baseline, which every machine has.
    const std::string built = STRIATE_BUILT_ISAS;
    CHECK(info.available_isas.back() == built.substr(built.rfind(' ') + 1));
}

TEST_CASE("detected instruction sets agree with the compiler's") {
#if defined(__x86_64__)
    const dispatch::X86Features features = dispatch::x86_features();
    CHECK(features.avx2 ==
          (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2")));
    CHECK(features.avx512 ==
          (features.avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")));
#endif
}

TEST_CASE("an overlay replaces single kernels of a table") {
    const kernels::Table& base = *dispatch::implementations().back().table;
    kernels::Table rows = {};
    rows.isa = "rows";
    rows.copy = [](const kernels::CopyArgs&, int64_t, int64_t) {};
    rows.conv = [](const kernels::ConvArgs&, int64_t, int64_t) {};
    const kernels::Table table = dispatch::with_overlay(base, rows);
    CHECK(table.isa == rows.isa);
    CHECK(table.vector_width == base.vector_width);
    CHECK((table.copy == rows.copy));  // doctest cannot print pointers to functions
    CHECK((table.conv == rows.conv));
    int own = 0;
#define STRIATE_KERNEL(name, Args)                              \
    CHECK((table.name == (rows.name ? rows.name : base.name))); \
    own += table.name != base.name;
#include "kernels/kernels.inc"
#undef STRIATE_KERNEL
    CHECK(own == 2);
}

}  // namespace
