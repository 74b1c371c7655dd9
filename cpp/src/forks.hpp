// What fork() does to locks and threads. After a fork the child has the calling thread alone: a lock that another
// thread held stays locked, and a pool of threads has no threads left.
#pragma once

#include <cstdint>
#include <mutex>

namespace striate::forks {

// A mutex out of a fixed set, for objects that hold one for a short time. fork() takes all of them, so that in the
// child none is held by a thread that is gone. Two objects may get the same one: never lock two at once.
std::mutex& shared_mutex();

// Grows with every fork that leads to this process.
uint64_t generation();

// Held while memory that a child may go on with is changed: fork() waits until nobody holds it.
class Gate {
  public:
    Gate();
    ~Gate();
    Gate(const Gate&) = delete;
    Gate& operator=(const Gate&) = delete;
};

// Whether the calling thread is the one that called fork() in the parent. OpenMP's runtime may believe that this thread
// still has the parent's pool of threads, and would wait for them without end.
bool came_through();

}  // namespace striate::forks
