#include "planning/memory.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace striate {
namespace {

constexpr size_t kLine = 64;

size_t padded(size_t bytes) {
    return (bytes + kLine - 1) / kLine * kLine;
}

bool overlap(const Storage& a, const Storage& b) {
    return a.first <= b.last && b.first <= a.last;
}

std::vector<int64_t> geometry(const Storage& s) {
    std::vector<int64_t> key = s.map;
    key.insert(key.end(), {s.halo.top, s.halo.bottom, s.halo.left, s.halo.right});
    return key;
}

// Largest first, each at the lowest place that nothing alive at the same time covers. Returns the end.
size_t place_by_size(std::vector<Storage>& storages, std::vector<int> shared, const size_t base) {
    std::stable_sort(shared.begin(), shared.end(), [&](int a, int b) { return storages[a].bytes > storages[b].bytes; });
    size_t end = base;
    std::vector<int> placed;  // by offset
    const auto before = [&](int a, int b) { return storages[a].offset < storages[b].offset; };
    for (int i : shared) {
        Storage& s = storages[i];
        size_t at = base;
        for (int j : placed) {
            const Storage& other = storages[j];
            if (!overlap(s, other)) continue;
            if (other.offset >= at + padded(s.bytes)) break;
            at = std::max(at, other.offset + padded(other.bytes));
        }
        s.offset = at;
        end = std::max(end, at + padded(s.bytes));
        placed.insert(std::upper_bound(placed.begin(), placed.end(), i, before), i);
    }
    return end;
}

// In order of birth, each in the smallest gap that holds it: n log n for n storages. Returns the end.
size_t place_by_birth(std::vector<Storage>& storages, const std::vector<int>& shared, const size_t base) {
    size_t end = base;
    std::map<size_t, size_t> gaps;                // by offset: bytes
    std::set<std::pair<size_t, size_t>> by_size;  // bytes, offset
    std::multimap<int, int> alive;                // by last step
    const auto take_gap = [&](std::map<size_t, size_t>::iterator gap) {
        by_size.erase({gap->second, gap->first});
        gaps.erase(gap);
    };
    const auto add_gap = [&](size_t offset, size_t bytes) {
        if (const auto next = gaps.find(offset + bytes); next != gaps.end()) {
            bytes += next->second;
            take_gap(next);
        }
        if (auto last = gaps.lower_bound(offset); last != gaps.begin()) {
            --last;
            if (last->first + last->second == offset) {
                offset = last->first;
                bytes += last->second;
                take_gap(last);
            }
        }
        gaps.emplace(offset, bytes);
        by_size.emplace(bytes, offset);
    };
    for (int i : shared) {
        Storage& s = storages[i];
        for (auto dead = alive.begin(); dead != alive.end() && dead->first < s.first; dead = alive.erase(dead))
            add_gap(storages[dead->second].offset, padded(storages[dead->second].bytes));
        const size_t bytes = padded(s.bytes);
        if (bytes == 0) {
            s.offset = base;
            continue;
        }
        if (const auto fit = by_size.lower_bound({bytes, 0}); fit != by_size.end()) {
            const auto [size, offset] = *fit;
            take_gap(gaps.find(offset));
            s.offset = offset;
            if (size > bytes) add_gap(offset + bytes, size - bytes);
        } else {
            s.offset = end;
            end += bytes;
        }
        alive.emplace(s.last, i);
    }
    return end;
}

}  // namespace

ArenaSizes lay_out(std::vector<Storage>& storages, size_t most_compared) {
    ArenaSizes sizes;
    size_t& end = sizes.shared;
    std::vector<int> shared;
    // Places of haloed maps, by geometry: the last step that uses the place, and its offset.
    std::map<std::vector<int64_t>, std::multimap<int, size_t>> slots;
    std::vector<int> order;
    for (size_t i = 0; i < storages.size(); ++i) {
        const Storage& s = storages[i];
        if (s.outside || s.taken_from >= 0 || s.first < 0) continue;
        order.push_back(static_cast<int>(i));
    }
    // Haloed maps: interval colouring in order of birth, one slot for each colour.
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return storages[a].first < storages[b].first; });
    for (int i : order) {
        Storage& s = storages[i];
        if (s.forever) {
            s.offset = sizes.own;
            sizes.own += padded(s.bytes);
        } else if (s.halo.empty()) {
            shared.push_back(i);
        } else {
            std::multimap<int, size_t>& places = slots[geometry(s)];
            const auto place = places.begin();
            if (place == places.end() || place->first >= s.first) {
                s.offset = end;
                end += padded(s.bytes);
            } else {
                s.offset = place->second;
                places.erase(place);
            }
            places.emplace(s.last, s.offset);
        }
    }
    end = shared.size() > most_compared ? place_by_birth(storages, shared, end) : place_by_size(storages, shared, end);
    for (Storage& s : storages) {
        const Storage* owner = &s;
        while (owner->taken_from >= 0) owner = &storages[owner->taken_from];
        s.offset = owner->offset;
    }
    return sizes;
}

}  // namespace striate
