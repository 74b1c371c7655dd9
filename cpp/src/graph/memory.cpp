#include "graph/memory.hpp"

#include <algorithm>
#include <numeric>

namespace striate {
namespace {

constexpr size_t kLine = 64;

size_t padded(size_t bytes) {
    return (bytes + kLine - 1) / kLine * kLine;
}

bool overlap(const Storage& a, const Storage& b) {
    return a.first <= b.last && b.first <= a.last;
}

}  // namespace

ArenaSizes lay_out(std::vector<Storage>& storages) {
    ArenaSizes sizes;
    size_t& end = sizes.shared;
    std::vector<int> shared;
    std::vector<std::vector<int>> slots;  // each: storages of one geometry that follow one another in one place
    std::vector<int> order;
    for (size_t i = 0; i < storages.size(); ++i) {
        const Storage& s = storages[i];
        if (s.external || s.taken_from >= 0 || s.first < 0) continue;
        order.push_back(static_cast<int>(i));
    }
    // Haloed maps: interval colouring in order of birth, a slot a colour.
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return storages[a].first < storages[b].first; });
    for (int i : order) {
        Storage& s = storages[i];
        if (s.forever) {
            s.offset = sizes.own;
            sizes.own += padded(s.bytes);
        } else if (s.halo.empty()) {
            shared.push_back(i);
        } else {
            auto fits = [&](const std::vector<int>& slot) {
                return storages[slot.front()].same_geometry(s) && storages[slot.back()].last < s.first;
            };
            auto slot = std::find_if(slots.begin(), slots.end(), fits);
            if (slot == slots.end()) {
                slots.push_back({i});
                s.offset = end;
                end += padded(s.bytes);
            } else {
                s.offset = storages[slot->front()].offset;
                slot->push_back(i);
            }
        }
    }
    // The rest: largest first, each at the lowest place that nothing alive at the same time covers.
    std::stable_sort(shared.begin(), shared.end(), [&](int a, int b) { return storages[a].bytes > storages[b].bytes; });
    const size_t base = end;
    std::vector<int> placed;
    for (int i : shared) {
        Storage& s = storages[i];
        std::vector<int> others;
        for (int j : placed)
            if (overlap(s, storages[j])) others.push_back(j);
        std::sort(others.begin(), others.end(), [&](int a, int b) { return storages[a].offset < storages[b].offset; });
        size_t at = base;
        for (int j : others) {
            if (storages[j].offset >= at + padded(s.bytes)) break;
            at = std::max(at, storages[j].offset + padded(storages[j].bytes));
        }
        s.offset = at;
        end = std::max(end, at + padded(s.bytes));
        placed.push_back(i);
    }
    for (Storage& s : storages) {
        const Storage* owner = &s;
        while (owner->taken_from >= 0) owner = &storages[owner->taken_from];
        s.offset = owner->offset;
    }
    return sizes;
}

}  // namespace striate
