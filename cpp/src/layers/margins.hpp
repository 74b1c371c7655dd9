// What padding and cropping share: a map within a larger one.
#pragma once

#include <string>
#include <vector>

#include "striate/plan.hpp"

namespace striate::margins {

// Throws ValueError, naming `owner`, unless there are four numbers, none of them negative.
void check(const std::vector<int64_t>& margins, const char* argument, const std::string& owner);

// Copies the map `small` into the middle of `large`, and zeros into the margins.
void emit_widen(PlanContext& plan, const char* what, TensorId small, TensorId large,
                const std::vector<int64_t>& margins);
// Copies the middle of `large` to `small`.
void emit_narrow(PlanContext& plan, const char* what, TensorId large, TensorId small,
                 const std::vector<int64_t>& margins);

}  // namespace striate::margins
