// Counter-based random numbers: each is a pure function of a seed, a stream and a position, so they are the same
// whatever the order and the number of threads in which they are drawn.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "striate/export.hpp"

namespace striate STRIATE_API {

// Four words of 32 random bits: Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2,
// 3", SC 2011) with `seed` as its key and (counter, stream), low word first, as its counter.
std::array<uint32_t, 4> philox(uint64_t seed, uint64_t stream, uint64_t counter);
// Four words of 64 random bits: Philox4x64-10, of the same authors.
std::array<uint64_t, 4> philox4x64(std::array<uint64_t, 2> key, std::array<uint64_t, 4> counter);

// Element i depends on (seed, stream, i) alone. All arithmetic is in double precision and rounded once.
// Uniform on [low, high).
void fill_uniform(float* out, int64_t size, double low, double high, uint64_t seed, uint64_t stream);
// Normal, by Box & Muller (1958).
void fill_normal(float* out, int64_t size, double mean, double standard_deviation, uint64_t seed, uint64_t stream);
// Normal, but drawn again where it is more than two standard deviations from the mean.
void fill_truncated_normal(float* out, int64_t size, double mean, double standard_deviation, uint64_t seed,
                           uint64_t stream);

// The order of the numbers 0 ... size - 1 in an epoch: each of the size! orders is equally likely (Fisher & Yates, with
// unbiased draws). Throws ValueError for a negative size.
std::vector<int64_t> permutation(uint64_t seed, uint64_t epoch, int64_t size);

}  // namespace striate STRIATE_API
