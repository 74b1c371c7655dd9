// How convolutions are cut into tiles and units of work: rules on shapes, found by measurement, never on threads.
#pragma once

#include "cpu/convolution.hpp"
#include "kernels/args_conv.hpp"

namespace striate::convolution {

// The kernels' tiles of so many vectors have up to so many rows.
int64_t tile_rows(const Machine& machine, int64_t vectors);

// Fills in panel, w_step, w_panel, w_group and the cut of the work from the rest.
void schedule(kernels::ConvArgs& a, const Machine& machine);

// Fills in panel, pack, w_step and the cut of the work from the rest. May change the order in which pixels are walked.
void schedule(kernels::ConvWeightArgs& a, const Machine& machine);

}  // namespace striate::convolution
