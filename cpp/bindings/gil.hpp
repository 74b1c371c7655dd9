// The interpreter's lock (GIL), let go of and taken.
//
// When Python ends while a thread of a program (a daemon thread) is in the core, the thread cannot have the GIL again:
// before Python 3.14 the interpreter ends such a thread, by unwinding its stack, which must not pass through
// destructors. The thread then waits instead, until the process is gone.
#pragma once

#include <pybind11/pybind11.h>

#include <chrono>
#include <thread>

namespace striate::bindings {

[[noreturn]] inline void wait_for_the_end_of_the_process() {
    while (true) std::this_thread::sleep_for(std::chrono::hours(1));
}

// While it exists, other threads of Python's run. The core then sees borrowed memory and no Python object.
class WithoutGil {
  public:
    WithoutGil() : state_(PyEval_SaveThread()) {}
    ~WithoutGil() {
        try {
            PyEval_RestoreThread(state_);
        } catch (...) {
            wait_for_the_end_of_the_process();
        }
    }
    WithoutGil(const WithoutGil&) = delete;
    WithoutGil& operator=(const WithoutGil&) = delete;

  private:
    PyThreadState* state_;
};

// On any thread, whether it has the GIL or not.
class WithGil {
  public:
    WithGil() {
        try {
            state_ = PyGILState_Ensure();
        } catch (...) {
            wait_for_the_end_of_the_process();
        }
    }
    ~WithGil() { PyGILState_Release(state_); }
    WithGil(const WithGil&) = delete;
    WithGil& operator=(const WithGil&) = delete;

  private:
    PyGILState_STATE state_;
};

}  // namespace striate::bindings
