// How the processes that train one model together send numbers to each other. The core knows no network: a program
// implements this over its own, such as MPI (examples/cpp/train_mpi.cpp, python/striate/distributed.py).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "striate/export.hpp"

namespace striate STRIATE_API {

// All processes make the same calls in the same order, from one thread. A call throws DistributedError where a process
// cannot be reached.
class Exchange {
  public:
    // Floats of this process that go to or come from another. They stay where they are until wait() has returned.
    struct Part {
        float* data;
        int64_t size;
        int peer;
    };

    virtual ~Exchange();
    virtual int rank() const = 0;  // of this process, 0 <= rank < size
    virtual int size() const = 0;  // the number of processes
    // Of this process, for messages; by default "rank 3".
    virtual std::string name() const;

    // A few bytes of each process, as many from each, in the order of ranks.
    virtual void gather(const void* mine, size_t bytes, void* all) = 0;
    // Begins to send and to receive. Parts between two processes arrive in the order of the list. Returns a ticket.
    virtual int begin(const std::vector<Part>& send, const std::vector<Part>& receive) = 0;
    // Whether all parts of the ticket have been sent and received; makes progress.
    virtual bool done(int ticket) = 0;
    // Returns when done() would be true. No other call may name the ticket afterwards.
    virtual void wait(int ticket) = 0;
};

// Which part of `count` rows, or of `count` shards, is number `index` of `parts`.
inline int64_t part_begin(int64_t count, int64_t parts, int64_t index) {
    return count * index / parts;
}

}  // namespace striate STRIATE_API
