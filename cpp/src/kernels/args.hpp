// What kernels are given: plain pointers and sizes. Shared with per-ISA sources, so nothing here may have a function
// body that the linker could merge: plain data only. One family of kernels a header.
#pragma once

#include <stdint.h>

#include "kernels/args_augment.hpp"
#include "kernels/args_conv.hpp"
#include "kernels/args_detection.hpp"
#include "kernels/args_elementwise.hpp"
#include "kernels/args_grouped.hpp"
#include "kernels/args_loss.hpp"
#include "kernels/args_matmul.hpp"
#include "kernels/args_norm.hpp"
#include "kernels/args_optimizer.hpp"
#include "kernels/args_pool.hpp"
#include "kernels/args_pooled_conv.hpp"
#include "kernels/args_random.hpp"
#include "kernels/args_resize.hpp"
#include "kernels/args_softmax.hpp"
#include "kernels/args_take.hpp"
#include "kernels/args_winograd.hpp"
