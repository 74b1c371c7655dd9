// Random numbers for images: functions of a seed, a use of it, and what they are for.
#pragma once

#include <array>
#include <cstdint>

#include "striate/random.hpp"

namespace striate {

// The second word of a key: one for each use, so that two uses of one seed share no numbers. Shuffling in Python has 1.
constexpr uint64_t kChanges = 2, kNoise = 3, kElastic = 4, kRandomLayers = 5;

// Numbers on [0, 1), one after the other.
class Uniforms {
  public:
    Uniforms(uint64_t seed, uint64_t use, uint64_t index, uint64_t epoch, uint64_t stream = 0)
        : key_{seed, use}, counter_{0, index, epoch, stream} {}

    double next() {
        if (left_ == 0) {
            ++counter_[0];  // a stream begins behind its counter, as NumPy's does
            words_ = philox4x64(key_, counter_);
            left_ = 4;
        }
        return static_cast<double>(words_[4 - left_--] >> 11) * 0x1p-53;
    }

  private:
    std::array<uint64_t, 2> key_;
    std::array<uint64_t, 4> counter_, words_{};
    int left_ = 0;
};

}  // namespace striate
