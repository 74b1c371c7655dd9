// What layers share that change images at random in training and pass them on otherwise. The changes are those of
// Augmenter.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "input/uniforms.hpp"
#include "striate/augmentation.hpp"
#include "striate/layers/image_sampling.hpp"
#include "striate/plan.hpp"

namespace striate::random_images {

using Range = std::array<double, 2>;

// Two numbers in order, or -f .. f for one. Throws ValueError, naming `owner` and the argument, for others, and for
// numbers that are not within low .. high.
Range range_of(const std::vector<double>& factor, double low, double high, const std::string& owner, const char* name);
// A range of values: two finite numbers in order. Throws ValueError.
Range value_range_of(const std::vector<double>& range, const std::string& owner);
// Throws ValueError for a name that there is none of and a fill value that is not finite.
void check(const ImageSampling& sampling, const std::string& owner);

// A number of a range.
inline double within(const Range& range, Uniforms& numbers) {
    return range[0] + numbers.next() * (range[1] - range[0]);
}

// The steps of a layer that moves images: what `draw` draws from random numbers for each.
void emit_moves(PlanContext& plan, const ImageSampling& sampling, std::function<Motion(Uniforms&)> draw);
// Of a layer that changes their values: `draw` sets brightness and contrast.
void emit_shades(PlanContext& plan, const Range& value_range, std::function<void(Uniforms&, Drawn&)> draw);

}  // namespace striate::random_images
