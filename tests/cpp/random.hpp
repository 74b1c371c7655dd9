// Random numbers for tests.
#pragma once

#include <cmath>
#include <cstdint>

namespace check {

// splitmix64 (Steele, Lea, Flood 2014): the same numbers on every platform.
class Random {
  public:
    explicit Random(uint64_t seed) : state_(seed) {}
    uint64_t bits() {
        uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }
    double uniform(double low = 0, double high = 1) { return low + (high - low) * ((bits() >> 11) * 0x1p-53); }
    int64_t integer(int64_t low, int64_t high) { return low + static_cast<int64_t>(bits() % (high - low + 1)); }
    double normal() { return std::sqrt(-2 * std::log(1 - uniform())) * std::cos(6.283185307179586 * uniform()); }

  private:
    uint64_t state_;
};

}  // namespace check
