// Several threads that run one function: OpenMP's, where the runtime can be used.
#pragma once

#include <functional>

namespace striate {

// Calls part(thread, count) on each of `count` threads, the calling one among them. `count` is at most `threads`: the
// runtime may give fewer, and no further thread may be startable. `part` must not throw.
void run_in_team(int threads, const std::function<void(int thread, int count)>& part);

// Within `part`: waits until all threads of the team are here.
void team_barrier();

}  // namespace striate
