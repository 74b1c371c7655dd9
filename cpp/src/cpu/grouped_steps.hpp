// The steps of a grouped convolution in its three directions; the arguments are those of convolution_steps.hpp. For
// problems that groups_fit() only.
#pragma once

#include "cpu/convolution_steps.hpp"
#include "cpu/grouped.hpp"

namespace striate::convolution {

void emit_grouped(PlanContext& plan, const Problem& p, TensorId x, TensorId kernel, const Ending& end);
void emit_grouped_to_input(PlanContext& plan, const Problem& p, TensorId dy, TensorId kernel, const Ending& end);
void emit_grouped_to_weights(PlanContext& plan, const Problem& p, TensorId x, TensorId dy, TensorId d_kernel);

}  // namespace striate::convolution
