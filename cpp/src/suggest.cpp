#include "suggest.hpp"

#include <algorithm>
#include <utility>

namespace striate {
namespace {

constexpr size_t kLongestName = 64;
constexpr size_t kMaxNames = 40;

std::string lower(std::string text) {
    for (char& c : text)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return text;
}

}  // namespace

size_t edit_distance(const std::string& first, const std::string& second) {
    const std::string a = lower(first), b = lower(second);
    std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
    for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
    for (size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (size_t j = 1; j <= b.size(); ++j) {
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = std::min(row[j], before[j - 2] + 1);
        }
        std::swap(before, last);
        std::swap(last, row);
    }
    return last[b.size()];
}

std::vector<std::string> nearest_names(const std::string& wrong, const std::vector<std::string>& names) {
    std::vector<std::pair<size_t, std::string>> near;
    if (wrong.empty() || wrong.size() > kLongestName) return {};
    const std::string wrong_lower = lower(wrong);
    for (const std::string& name : names) {
        if (name.size() > kLongestName) continue;
        const size_t distance = edit_distance(wrong, name);
        // A third of the word may be wrong; an abbreviation such as "Conv" counts whatever its length.
        const bool begins = wrong.size() >= 3 && lower(name).rfind(wrong_lower, 0) == 0;
        if (begins || distance <= std::max(wrong.size(), name.size()) / 3)
            near.emplace_back(begins ? 1 : distance, name);
    }
    std::stable_sort(near.begin(), near.end(), [](const auto& x, const auto& y) { return x.first < y.first; });
    if (near.size() > 3) near.resize(3);
    std::vector<std::string> found;
    for (const auto& [distance, name] : near)
        if (distance <= near.front().first + 1) found.push_back(name);
    return found;
}

std::string suggestion(const std::string& wrong, const std::vector<std::string>& names) {
    if (names.empty()) return "there is none";
    const std::vector<std::string> near = nearest_names(wrong, names);
    std::string text;
    if (!near.empty()) {
        for (size_t i = 0; i < near.size(); ++i)
            text += (i == 0 ? "" : i + 1 < near.size() ? ", " : " or ") + quoted(near[i]);
        return "did you mean " + text + "?";
    }
    for (size_t i = 0; i < std::min(names.size(), kMaxNames); ++i) text += (i ? ", " : "") + names[i];
    return "choose one of: " + text + (names.size() > kMaxNames ? ", ..." : "");
}

std::string quoted(const std::string& name) {
    std::string shown = name.size() > kLongestName ? name.substr(0, kLongestName) + "..." : name;
    for (char& c : shown)
        if (static_cast<unsigned char>(c) < 0x20) c = '?';
    return "'" + shown + "'";
}

}  // namespace striate
