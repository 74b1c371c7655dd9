// How many units of work a kernel has: a rule on shapes, never on threads. Not included by kernel sources.
#pragma once

#include "kernels/args.hpp"

namespace striate::kernels {

inline int64_t units(const ActivationArgs& a) { return a.view_x.n * a.view_x.h; }
inline int64_t units(const ActivationGradArgs& a) { return a.view_dy.n * a.view_dy.h; }

}  // namespace striate::kernels
