// Measures every kernel of the active table and writes a JSON object a line: the machine's limits first, then the
// cases.
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "cpu/dispatch.hpp"
#include "measure.hpp"
#include "striate/error.hpp"
#include "striate/runtime.hpp"

namespace {

using Json = nlohmann::ordered_json;
using striate::kernels::Table;

constexpr const char* kUsage =
    "usage: striate_bench [--filter REGEX] [--threads N] [--seconds S] [--list]\n"
    "  --filter REGEX  only the cases whose \"KERNEL SHAPE\" the expression is found in\n"
    "  --threads N     beside one thread; default: as many as striate would use\n"
    "  --seconds S     of each measurement; default 0.08\n"
    "  --list          the cases' names alone\n"
    "The environment variable STRIATE_ISA chooses the instruction set.\n";

constexpr double kLimitSeconds = 0.2;  // at least, of measuring each of the machine's limits
constexpr int64_t kCopySizes[] = {int64_t{1} << 20, int64_t{16} << 20, int64_t{256} << 20};  // bytes, both halves

struct Options {
    std::string filter;
    int threads = striate::get_num_threads();
    double seconds = 0.08;
    bool list = false, help = false;
};

template <class T>
T number(const std::string& option, const std::string& text, T low, T high) {
    T value{};
    std::istringstream stream(text);
    striate::require(stream >> value && stream.eof() && value >= low && value <= high, option,
                     " must be a number from ", low, " to ", high, ", got '", text, "'");
    return value;
}

Options parse(int count, char** arguments) {
    Options options;
    for (int i = 1; i < count; ++i) {
        const std::string name = arguments[i];
        const auto value = [&]() -> std::string {
            striate::require(i + 1 < count, name, " needs a value\n", kUsage);
            return arguments[++i];
        };
        if (name == "--filter") {
            options.filter = value();
        } else if (name == "--threads") {
            options.threads = number(name, value(), 1, 1024);
        } else if (name == "--seconds") {
            options.seconds = number(name, value(), 1e-4, 60.0);
        } else if (name == "--list") {
            options.list = true;
        } else if (name == "--help" || name == "-h") {
            options.help = true;
        } else {
            striate::fail("unknown option '", name, "'\n", kUsage);
        }
    }
#ifndef _OPENMP
    options.threads = 1;
#endif
    return options;
}

struct Family {
    const char* kernel;
    bench::Cases cases;
};

std::vector<Family> families(const Table& table) {
    return {
#define STRIATE_KERNEL(name, Args) {#name, bench::cases_##name(table.name)},
#include "kernels/kernels.inc"
#undef STRIATE_KERNEL
    };
}

void print(const Json& line) {
    std::cout << line.dump() << std::endl;
}

// One thread, and all of them where there are more.
template <class Measure>
Json each_count(int threads, Measure measure) {
    Json values = {measure(1)};
    if (threads > 1) values.push_back(measure(threads));
    return values;
}

Json machine(const Table& table, const Options& options) {
    const double seconds = std::max(options.seconds, kLimitSeconds);
    Json copies = Json::array();
    for (const int64_t bytes : kCopySizes)
        copies.push_back({{"bytes", bytes}, {"bytes_per_second", each_count(options.threads, [&](int threads) {
                                                 return bench::copy_bandwidth(table, bytes, threads, seconds);
                                             })}});
    const Json peak =
        each_count(options.threads, [&](int threads) { return bench::fma_peak(table, threads, seconds); });
    return {{"kind", "machine"},          {"isa", table.isa},         {"compiler", striate::runtime_info().compiler},
            {"threads", options.threads}, {"flops_per_second", peak}, {"copy", copies}};
}

void run(const Options& options) {
    const Table& table = striate::dispatch::kernels();
    std::regex filter;
    try {
        filter = std::regex(options.filter);
    } catch (const std::regex_error& error) {
        striate::fail("--filter '", options.filter, "' is not a regular expression: ", error.what());
    }
    if (!options.list) print(machine(table, options));
    for (const Family& family : families(table))
        for (const bench::Case& item : family.cases) {
            if (!std::regex_search(family.kernel + (" " + item.shape), filter)) continue;
            Json line = {{"kind", "case"},
                         {"kernel", family.kernel},
                         {"shape", item.shape},
                         {"flops", item.flops},
                         {"bytes", item.bytes}};
            if (!options.list) {
                bench::Memory memory;
                const bench::Work work = item.setup(memory);
                line["seconds"] = each_count(
                    options.threads, [&](int threads) { return bench::best_seconds(work, threads, options.seconds); });
            }
            print(line);
        }
}

}  // namespace

int main(int count, char** arguments) {
    try {
        const Options options = parse(count, arguments);
        striate::dispatch::use_training_kernels();
        if (options.help) {
            std::cout << kUsage;
        } else {
            run(options);
        }
        return 0;
    } catch (const std::exception& error) {
        std::cerr << "striate_bench: " << error.what() << '\n';
        return 1;
    }
}
