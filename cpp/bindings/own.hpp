// Layers and losses that a program computes in Python: host steps of a plan that take the GIL.
//
// Calls that may run such steps go through computing(). One of them runs at a time, so that a fork can wait for it: the
// forking thread has the GIL, which the steps need. What the Python code raises is thrown when the call is done; the
// rest of the call computes with zeros, and the trainer restores the weights.
#pragma once

#include <exception>
#include <type_traits>
#include <utility>
#include <vector>

#include "bindings.hpp"

namespace striate::bindings {

// Whether the model has a layer, or one of the losses is, computed in Python.
bool has_own_code(const Model& model);
bool has_own_code(const std::vector<LossPtr>& losses);

// One call of the core's that runs Python code. Made, checked and destroyed with the GIL.
class OwnCalls {
  public:
    OwnCalls();
    ~OwnCalls();
    OwnCalls(const OwnCalls&) = delete;
    OwnCalls& operator=(const OwnCalls&) = delete;

    bool failed() const { return failure_ != nullptr; }
    // Throws what the Python code raised.
    void check() const {
        if (failure_) std::rethrow_exception(failure_);
    }
    void fail(std::exception_ptr failure) { failure_ = std::move(failure); }

  private:
    OwnCalls* outer_ = nullptr;
    bool taken_ = false;
    std::exception_ptr failure_;
};

// Calls `compute` without the GIL, and throws what Python code within it raised.
template <class Compute>
auto computing(bool own, Compute&& compute) {
    const auto released = [&] {
        const WithoutGil without;
        return compute();
    };
    if (!own) return released();
    const OwnCalls calls;
    if constexpr (std::is_void_v<decltype(released())>) {
        released();
        calls.check();
    } else {
        auto result = released();
        calls.check();
        return result;
    }
}

}  // namespace striate::bindings
