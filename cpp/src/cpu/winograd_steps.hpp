// The steps of a convolution by Winograd's transforms, in its three directions; the arguments are those of
// convolution_steps.hpp. For problems that winograd_fits() only. Of y and dx, `tiled` is computed.
#pragma once

#include "cpu/convolution_steps.hpp"
#include "cpu/winograd.hpp"

namespace striate::convolution {

void emit_winograd(PlanContext& plan, const Problem& p, TensorId x, TensorId kernel, const Ending& end,
                   const Tiled& tiled);
void emit_winograd_pooled(PlanContext& plan, const char* what, const Problem& p, TensorId x, TensorId kernel,
                          const Ending& end);
void emit_winograd_to_input(PlanContext& plan, const Problem& p, TensorId dy, TensorId kernel, const Ending& end,
                            const Tiled& tiled);
void emit_winograd_to_weights(PlanContext& plan, const Problem& p, TensorId x, TensorId dy, TensorId d_kernel);

}  // namespace striate::convolution
