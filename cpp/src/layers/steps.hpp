// From a kernel and its arguments to a step of the plan.
#pragma once

#include <stdexcept>
#include <utility>
#include <vector>

#include "dispatch/dispatch.hpp"
#include "kernels/units.hpp"
#include "striate/error.hpp"
#include "striate/plan.hpp"

namespace striate {

// Bytes that a step moves when it reads and writes each tensor once.
double traffic(const PlanContext& plan, const std::vector<TensorId>& reads, const std::vector<TensorId>& writes);

// A step that calls `kernel`. `args` holds the sizes; `bind(args, frame)` fills in the pointers when the step runs.
template <class Args, class Bind>
Step kernel_step(const PlanContext& plan, const char* what, void (*kernel)(const Args&, int64_t, int64_t),
                 const Args& args, std::vector<TensorId> reads, std::vector<TensorId> writes, Bind bind) {
    if (!kernel) throw std::logic_error(concat("'", what, "' before a call of dispatch::use_training_kernels()"));
    Step step;
    step.what = what;
    step.units = kernels::units(args);
    step.bytes = traffic(plan, reads, writes);
    step.reads = std::move(reads);
    step.writes = std::move(writes);
    step.run = [=](const Frame& frame, int64_t begin, int64_t end, std::byte*) {
        Args bound = args;
        bind(bound, frame);
        kernel(bound, begin, end);
    };
    return step;
}

// Lets the step write over `from`, if nobody reads that afterwards.
inline Step in_place(Step step, TensorId from, TensorId to) {
    step.inplace_from = from;
    step.inplace_to = to;
    return step;
}

// y = a copy of x between views of one shape, as a step.
Step copy_step(const PlanContext& plan, const char* what, TensorId x, const View& view_x, int64_t offset_x, TensorId y,
               const View& view_y, int64_t offset_y);

}  // namespace striate
