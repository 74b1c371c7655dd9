#include "cpu/balance.hpp"

#include <algorithm>

namespace striate {
namespace {

// The share of the time that may be spent on finding out whether the other way is faster.
constexpr double kProbeBudget = 0.01;
constexpr double kReprobeBudget = 0.035;   // the same for finding out whether threads pay again, after they did not
constexpr double kSlack = 5e-3;            // seconds gained by sharing that a slow run by chance may take
constexpr double kNew = 1.0 / 8;           // weight of a new value in a mean
constexpr int kMinSamples = 2;             // values that a mean needs to be trusted
constexpr double kSlow = 2;                // times what is expected, or the fastest run: something is wrong
constexpr double kFirstProbeBudget = 0.1;  // as kProbeBudget, once, while nothing is known of one thread

double mean(double before, double value, bool first) {
    return first ? value : before + kNew * (value - before);
}

}  // namespace

void Balance::took(double seconds) {
    if (shared_) {
        took_shared(seconds);
    } else {
        took_alone(seconds);
    }
}

void Balance::took_shared(double seconds) {
    since_ += seconds;
    if (alone_ >= 0.0) debt_ = std::max(debt_ + seconds - alone_, -kSlack);
    // First runs that are slow for waking up the threads and their cores, and ones that are slow for waiting, look the
    // same.
    if (cold_ > 0.0) {
        cold_ -= seconds;
        return;
    }
    together_ = mean(together_, seconds, samples_ == 0);
    fastest_ = samples_ == 0 ? seconds : std::min(fastest_, seconds);
    ++samples_;
    if (samples_ < kMinSamples) return;
    if (alone_ < 0.0) {
        const bool wrong = together_ > kSlow * std::min(expected_, fastest_);
        shared_ = !wrong && kFirstProbeBudget * since_ < extra_ * fastest_;
    } else if (together_ > alone_) {
        shared_ = false;
    } else if (kProbeBudget * since_ > alone_ - together_) {
        shared_ = false;  // one run alone, to see whether its time is still the same
    }
}

void Balance::took_alone(double seconds) {
    if (alone_ < 0.0) debt_ += samples_ * std::max(0.0, together_ - seconds);  // what has been lost until now
    alone_ = mean(alone_, seconds, first_);
    first_ = false;
    since_ = 0.0;
    debt_ -= kReprobeBudget * seconds;
    // As soon as what the last attempt cost is a small part of the time since then, the next one may begin.
    if (debt_ > 0.0) return;
    shared_ = true;
    cold_ = kWarmUp;
    samples_ = 0;
    first_ = true;
}

}  // namespace striate
