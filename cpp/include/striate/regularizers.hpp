// Penalties on weights that training adds to the loss.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "striate/error.hpp"

namespace striate STRIATE_API {

// l1 * sum(|w|) + l2 * sum(w * w) of one weight tensor (Hoerl & Kennard 1970; Tibshirani 1996).
struct Penalty {
    double l1 = 0.0, l2 = 0.0;
    bool any() const { return l1 != 0.0 || l2 != 0.0; }
    bool operator==(const Penalty& other) const { return l1 == other.l1 && l2 == other.l2; }
};

// The penalty that a regularizer's name means, as Keras has them: "l1(0.01)", "l2(0.01)", "l1_l2(0.01,0.01)". Arguments
// in parentheses are optional and are at least 0. No name: no penalty.
// Throws ValueError, naming `owner`, for a name that there is none of.
Penalty penalty_of(const std::optional<std::string>& regularizer, const std::string& owner);

std::vector<std::string> regularizer_names();

}  // namespace striate STRIATE_API
