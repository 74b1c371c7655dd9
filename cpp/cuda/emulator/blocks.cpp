// Runs the threads of a block, one after another, each on a stack of its own.
#include <signal.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <string>
#include <vector>

#include "emulator.hpp"
#include "fiber.hpp"

namespace emulator {

Position now;

namespace {

enum class State { ready, barrier, warp, ended };

struct Thread {
    State state = State::ready;
    Fiber* fiber = nullptr;
    // What it brought to its warp.
    Meeting what{};
    unsigned mask = 0;
    const void* in = nullptr;
    void* out = nullptr;
    size_t size = 0;
    int argument = 0;
    Site site{};
};

struct SharedVariable {
    const void* site;
    std::byte* place;
};

// The block that runs. Of the process: kernels run one at a time.
struct Block {
    const Call* call = nullptr;
    const char* kernel = "";
    std::vector<Thread> threads;
    std::vector<dim3> positions;  // of the threads
    std::vector<int> arrived;     // lanes of each warp that wait for others
    std::vector<int> order;
    size_t next = 0;  // place in `order` of the thread to begin
    int current = -1;
    int ended = 0, waiting = 0;
    Site barrier_site{};
    void* scheduler = nullptr;
    std::string failure;
    cudaError_t error = cudaSuccess;
    std::vector<SharedVariable> variables;
    size_t shared_used = 0;
};

Block* block = nullptr;
pid_t running_thread = 0;  // of the host, while kernels run
alignas(64) std::byte shared_memory[kMaxShared];

// Fibers are kept: a kernel with barriers wants one for each thread of a block.
std::vector<std::unique_ptr<Fiber>> all_fibers;
std::vector<Fiber*> free_fibers;

Fiber* take_fiber() {
    if (free_fibers.empty()) {
        all_fibers.push_back(std::make_unique<Fiber>());
        free_fibers.push_back(all_fibers.back().get());
    }
    Fiber* const fiber = free_fibers.back();
    free_fibers.pop_back();
    return fiber;
}

void place_thread(int number) {
    now.thread = block->positions[static_cast<size_t>(number)];
    block->current = number;
}

std::string at(const Site& site) {
    return std::string(site.file) + ":" + std::to_string(site.line);
}

void to_scheduler() {
    Fiber* const mine = block->threads[static_cast<size_t>(block->current)].fiber;
    emulator_switch(&mine->place, block->scheduler);
}

// Ends the block; called on a fiber.
void stop(cudaError_t error, const std::string& text) {
    if (block->failure.empty()) {
        block->failure = std::string(block->kernel) + ": " + text;
        block->error = error;
    }
    while (true) to_scheduler();  // it does not come back
}

// Threads that wait for nobody follow each other on one fiber.
void fiber_main() {
    while (true) {
        Fiber* const mine = block->threads[static_cast<size_t>(block->current)].fiber;
        block->call->run();
        Thread& thread = block->threads[static_cast<size_t>(block->current)];
        thread.state = State::ended;
        ++block->ended;
        if (block->next == block->order.size()) {
            thread.fiber = nullptr;
            free_fibers.push_back(mine);
            emulator_switch(&mine->place, block->scheduler);
        }
        const int number = block->order[block->next++];
        thread.fiber = nullptr;
        block->threads[static_cast<size_t>(number)].fiber = mine;
        place_thread(number);
    }
}

void fault_landing() {
    stop(cudaErrorIllegalAddress, "touches an address that is not memory of the device, or is behind an allocation");
}

struct sigaction former_handler;

// A kernel that touches what it must not ends; code of the host crashes.
void on_fault(int signal, siginfo_t*, void* context) {
    if (block && block->current >= 0 && running_thread == gettid()) {
        auto* machine = &static_cast<ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
        auto& stack = machine->gregs[REG_RSP];
        stack = ((stack - 512) & ~15LL) - 8;
        machine->gregs[REG_RIP] = reinterpret_cast<greg_t>(&fault_landing);
#else
        machine->sp = (machine->sp - 512) & ~15ULL;
        machine->pc = reinterpret_cast<uint64_t>(&fault_landing);
#endif
        return;
    }
    sigaction(signal, &former_handler, nullptr);  // the instruction is tried again
}

void install_handler() {
    static const bool installed = [] {
        struct sigaction action = {};
        action.sa_sigaction = &on_fault;
        action.sa_flags = SA_SIGINFO | SA_NODEFER;
        return sigaction(SIGSEGV, &action, &former_handler) == 0;
    }();
    (void)installed;
}

// EMULATOR_ORDER: "ascending", "descending", or a number that permutes threads and blocks.
template <class T>
void put_in_order(std::vector<T>& numbers) {
    const char* const text = std::getenv("EMULATOR_ORDER");
    const std::string order = text ? text : "ascending";
    if (order == "ascending" || order.empty()) return;
    if (order == "descending") return std::reverse(numbers.begin(), numbers.end());
    uint64_t state = std::strtoull(order.c_str(), nullptr, 10) * 2 + 1;
    for (size_t i = numbers.size(); i > 1; --i) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        std::swap(numbers[i - 1], numbers[(state >> 33) % i]);
    }
}

std::string stuck() {
    int at_barrier = 0, at_meeting = 0;
    Site site{};
    for (const Thread& t : block->threads) {
        at_barrier += t.state == State::barrier;
        at_meeting += t.state == State::warp;
        if (t.state == State::barrier || t.state == State::warp) site = t.site;
    }
    return std::string(block->kernel) + ": " + std::to_string(at_barrier + at_meeting) + " of " +
           std::to_string(block->threads.size()) + " threads wait for ever, " +
           (at_barrier ? "at a barrier that the others do not reach, " : "in a warp whose other lanes do not come, ") +
           at(site);
}

void run_threads(const std::vector<int>& order) {
    block->order = order;
    block->threads.assign(order.size(), {});
    block->arrived.assign(order.size() / kWarp + 1, 0);
    block->next = 0, block->ended = 0, block->waiting = 0, block->current = -1;
    block->variables.clear();
    block->shared_used = 0;
    std::memset(shared_memory, 0xff, sizeof shared_memory);  // NaN
    const auto count = static_cast<int>(order.size());
    const auto resume = [](Fiber* fiber) { emulator_switch(&block->scheduler, fiber->place); };
    while (block->next < order.size() && block->failure.empty()) {
        const int number = order[block->next++];
        Fiber* const fiber = take_fiber();
        block->threads[static_cast<size_t>(number)].fiber = fiber;
        place_thread(number);
        fiber->begin(&fiber_main);
        resume(fiber);
    }
    while (block->ended < count && block->failure.empty()) {
        bool progress = false;
        for (const int number : order) {
            Thread& thread = block->threads[static_cast<size_t>(number)];
            if (thread.state != State::ready) continue;
            progress = true;
            place_thread(number);
            resume(thread.fiber);
            if (!block->failure.empty()) break;
        }
        if (!progress && block->failure.empty()) {
            block->failure = stuck();
            block->error = cudaErrorLaunchFailure;
        }
    }
    block->current = -1;
    free_fibers.clear();
    for (const auto& fiber : all_fibers) free_fibers.push_back(fiber.get());
}

}  // namespace

void barrier(Site site) {
    Thread& mine = block->threads[static_cast<size_t>(block->current)];
    if (block->ended > 0) stop(cudaErrorLaunchFailure, "a barrier after some threads have ended, " + at(site));
    if (block->waiting == 0) block->barrier_site = site;
    if (site.line != block->barrier_site.line || std::strcmp(site.file, block->barrier_site.file) != 0)
        stop(cudaErrorLaunchFailure,
             "threads of a block meet at two barriers, " + at(block->barrier_site) + " and " + at(site));
    mine.state = State::barrier;
    mine.site = site;
    if (++block->waiting == static_cast<int>(block->threads.size())) {
        block->waiting = 0;
        for (Thread& t : block->threads) t.state = State::ready;
    }
    to_scheduler();
}

void meet(Meeting what, unsigned mask, const void* in, void* out, size_t size, int argument, Site site) {
    const int warp = block->current / kWarp * kWarp, lane = block->current % kWarp;
    Thread* const lanes = block->threads.data() + warp;
    const int present = std::min<int>(kWarp, static_cast<int>(block->threads.size()) - warp);
    Thread& mine = lanes[lane];
    if (!(mask >> lane & 1)) stop(cudaErrorLaunchFailure, "a lane meets others under a mask without it, " + at(site));
    mine.what = what, mine.mask = mask, mine.in = in, mine.out = out, mine.size = size, mine.argument = argument;
    mine.site = site, mine.state = State::warp;
    int& arrived = block->arrived[static_cast<size_t>(warp / kWarp)];
    if (mask == 0xffffffffu && ++arrived < present && block->ended == 0) return to_scheduler();  // not yet
    for (int i = 0; i < kWarp; ++i) {
        if (!(mask >> i & 1)) continue;
        if (i >= present || lanes[i].state == State::ended)
            stop(cudaErrorLaunchFailure, "a warp waits for a lane that has ended or does not exist, " + at(site));
        if (lanes[i].state != State::warp) return to_scheduler();
        if (lanes[i].what != what || lanes[i].mask != mask || lanes[i].size != size || lanes[i].site.line != site.line)
            stop(cudaErrorLaunchFailure,
                 "lanes of a warp meet at two places, " + at(lanes[i].site) + " and " + at(site));
    }
    unsigned votes = 0;
    for (int i = 0; i < present; ++i)
        if (what == Meeting::ballot && (mask >> i & 1) && *static_cast<const bool*>(lanes[i].in)) votes |= 1u << i;
    for (int i = 0; i < present; ++i) {
        if (!(mask >> i & 1)) continue;
        if (what == Meeting::ballot) std::memcpy(lanes[i].out, &votes, sizeof votes);
        if (what == Meeting::sync || what == Meeting::ballot) continue;
        int from = what == Meeting::shuffle       ? lanes[i].argument & 31
                   : what == Meeting::shuffle_xor ? i ^ lanes[i].argument
                                                  : i + lanes[i].argument;
        if (from < 0 || from >= kWarp) from = i;
        if (!(mask >> from & 1)) stop(cudaErrorLaunchFailure, "a lane asks one that is not in the mask, " + at(site));
        std::memcpy(lanes[i].out, lanes[from].in, size);
    }
    arrived = 0;
    // What a lane brought stays where it is until the lane goes on, which is after this.
    for (int i = 0; i < present; ++i)
        if (mask >> i & 1) lanes[i].state = State::ready;
    to_scheduler();
}

void* shared(const void* site, size_t bytes, size_t align) {
    for (const SharedVariable& v : block->variables)
        if (v.site == site) return v.place;
    const size_t begin = (block->shared_used + align - 1) / align * align;
    if (begin + bytes > kMaxShared) stop(cudaErrorInvalidConfiguration, "takes more shared memory than a block has");
    block->shared_used = begin + bytes;
    block->variables.push_back({site, shared_memory + begin});
    return shared_memory + begin;
}

cudaError_t run_grid(const Call& call, dim3 grid, dim3 threads, const char* kernel, std::string& failure) {
    install_handler();
    Block mine;
    mine.call = &call, mine.kernel = kernel;
    block = &mine;
    running_thread = gettid();
    now.block_dim = threads, now.grid_dim = grid;
    std::vector<int> order(threads.x * threads.y * threads.z);
    for (unsigned z = 0; z < threads.z; ++z)
        for (unsigned y = 0; y < threads.y; ++y)
            for (unsigned x = 0; x < threads.x; ++x) mine.positions.emplace_back(x, y, z);
    std::iota(order.begin(), order.end(), 0);
    put_in_order(order);
    std::vector<unsigned> blocks(grid.x);
    std::iota(blocks.begin(), blocks.end(), 0u);
    put_in_order(blocks);
    for (unsigned z = 0; z < grid.z && mine.failure.empty(); ++z)
        for (unsigned y = 0; y < grid.y && mine.failure.empty(); ++y)
            for (const unsigned x : blocks) {
                now.block = dim3(x, y, z);
                run_threads(order);
                if (!mine.failure.empty()) break;
            }
    running_thread = 0;
    block = nullptr;
    failure = mine.failure;
    return mine.error;
}

}  // namespace emulator
