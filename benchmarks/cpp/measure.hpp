#pragma once

#include "bench.hpp"

namespace bench {

// Seconds of one run of `work`: the best of repetitions that together take about `budget` seconds, after a warm-up. A
// repetition is one parallel region, in which the units are dealt out as the executor does.
double best_seconds(const Work& work, int threads, double budget);

// What the machine can do: multiply-adds in registers, in flops per second, and copying from one half of `bytes` of
// memory to the other, in bytes read and written per second.
double fma_peak(const striate::kernels::Table& table, int threads, double budget);
double copy_bandwidth(const striate::kernels::Table& table, int64_t bytes, int threads, double budget);

}  // namespace bench
