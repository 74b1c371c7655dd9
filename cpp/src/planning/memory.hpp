// Lays the buffers of a plan into two arenas by their lifetimes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "striate/plan.hpp"

namespace striate {

class Mirrored;

// A piece of memory that one or more tensors of a plan are views of.
struct Storage {
    size_t bytes = 0;
    int first = -1, last = -1;    // steps, in order; -1: never used
    bool forever = false;         // kept from run to run, and not shared with anything
    Mirrored* outside = nullptr;  // memory that is not the plan's; the storage is a part of it, from this byte on
    size_t outside_begin = 0;
    // Within a plan, a map with a halo shares its memory only with maps of the same geometry: steps write inside the
    // halo only, so that its zeros are written once, when the plan begins to use the arena.
    Shape map;
    Halo halo;
    int taken_from = -1;  // the storage whose memory this one took over

    size_t offset = 0;  // the result

    void use(int step) {
        if (first < 0) first = step;
        if (step > last) last = step;
    }
    bool same_geometry(const Storage& other) const { return map == other.map && halo == other.halo; }
};

// The bytes of a plan's two arenas.
struct ArenaSizes {
    size_t own = 0;     // of storages that are kept from run to run
    size_t shared = 0;  // of all others, which other plans may overwrite between two runs
};

// Sets every offset, within the arena that the storage belongs to. Offsets are multiples of 64.
// More storages than `most_compared` are not compared with one another, which takes time in proportion to the square of
// their number; the arena may then be larger.
ArenaSizes lay_out(std::vector<Storage>& storages, size_t most_compared = 8192);

}  // namespace striate
