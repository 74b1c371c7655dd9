// Runs the steps of a plan on the CPU: one parallel region for all of them, a barrier between them.
#pragma once

#include <string>
#include <vector>

#include "cpu/balance.hpp"
#include "kernels/rows.hpp"
#include "striate/plan.hpp"
#include "striate/tensor.hpp"

namespace striate {

class Recorder;

// What the executor adds to a step when the plan is complete.
struct ScheduledStep : Step {
    bool shared = false;      // dealt out to all threads; otherwise the first thread does it
    bool barrier = true;      // after it
    bool for_output = false;  // only run when somebody reads the network's output
    std::string layer;        // whose it is; for profiles, as is `pass`
    const char* pass = "";
    // Of a call of a kernel, once the plan is complete:
    kernels::Invoke invoke = nullptr;
    const kernels::Table* table = nullptr;
    std::byte* arguments = nullptr;  // with their pointers
    bool on_device = false;          // an accelerator does it; else the CPU, by `invoke` or `run`

    void execute(const Frame& frame, int64_t from, int64_t to, std::byte* memory) const;
};

// Decides which steps are worth sharing and where barriers must be. Depends on shapes alone.
void schedule(std::vector<ScheduledStep>& steps);

class Executor {
  public:
    // Runs steps [begin, end). `scratch` is the most that any of them wants for a thread; `memory` grows to hold it for
    // all threads. A recorder notes when each thread begins and ends a step.
    void run(const std::vector<ScheduledStep>& steps, size_t begin, size_t end, const Frame& frame, bool with_output,
             size_t scratch, AlignedBuffer& memory, Recorder* recorder = nullptr);

  private:
    // One range of steps, which takes the same work at every run.
    struct Range {
        size_t begin, end;
        int threads;
        Balance balance;
    };
    Balance& balance(const std::vector<ScheduledStep>& steps, size_t begin, size_t end, int threads);

    std::vector<Range> ranges_;
};

}  // namespace striate
