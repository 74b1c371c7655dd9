// Notes when each thread begins and ends each step. An executor that is given none measures nothing.
#pragma once

#include <chrono>
#include <functional>
#include <utility>
#include <vector>

#include "running/plan.hpp"
#include "striate/profile.hpp"

namespace striate {

class Recorder {
  public:
    using Clock = std::chrono::steady_clock;

    // Makes room for this many runs of the plan on as many threads as it may use now.
    Recorder(const Plan& plan, size_t runs);

    void begin_run();
    void end_run();
    // Called by several threads at once, each for itself.
    void note(size_t step, int thread, Clock::time_point begin, Clock::time_point end) {
        if (thread < profile_.threads)
            profile_.spans[(run_ * profile_.steps.size() + step) * profile_.threads + thread] = {since(begin),
                                                                                                 since(end)};
    }
    Profile take() { return std::move(profile_); }

  private:
    double since(Clock::time_point time) const { return std::chrono::duration<double>(time - start_).count(); }

    Profile profile_;
    Clock::time_point start_;
    size_t run_ = 0;
};

// Throws ValueError unless there are runs and each one's rows are among the `rows`.
void check_profile(int64_t rows, const std::vector<int64_t>& firsts, int64_t count);

// Calls run(first) for the first of `firsts`, so that memory is there and caches are warm, and then for all of them
// with a recorder.
Profile record(Plan& plan, const std::vector<int64_t>& firsts, const BeforeRun& before_run,
               const std::function<void(int64_t first)>& run);

}  // namespace striate
