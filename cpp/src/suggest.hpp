// "did you mean ...?": the end of messages about a name that there is none of.
#pragma once

#include <string>
#include <vector>

namespace striate {

// The number of insertions, deletions, replacements and swaps of adjacent letters between two words, without regard to
// case (optimal string alignment).
size_t edit_distance(const std::string& a, const std::string& b);

// The names that a person who wrote `wrong` may have meant, nearest first; empty when none is near.
std::vector<std::string> nearest_names(const std::string& wrong, const std::vector<std::string>& names);

// "did you mean 'a' or 'b'?" or, when none is near, "choose one of: ..." (or "there is none" for an empty list).
std::string suggestion(const std::string& wrong, const std::vector<std::string>& names);

// A name from outside as a message shows it: quoted, cut when long, control characters replaced.
std::string quoted(const std::string& name);

}  // namespace striate
