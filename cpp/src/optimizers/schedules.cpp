#include "striate/optimizers/schedules.hpp"

#include <algorithm>
#include <cmath>

#include "striate/error.hpp"

namespace striate {
namespace {

constexpr double kPi = 3.14159265358979323846;

void check_rate(double rate, const char* name, const char* owner) {
    require(rate >= 0.0 && std::isfinite(rate), "[", owner, "] ", name, " must be a number of at least 0, got ", rate);
}

void check_steps(int64_t steps, const char* name, const char* owner) {
    require(steps > 0, "[", owner, "] ", name, " must be a positive number of steps, got ", steps);
}

// From 1 to alpha as `fraction` goes from 0 to 1.
double cosine(double fraction, double alpha) {
    return (1.0 - alpha) * 0.5 * (1.0 + std::cos(kPi * fraction)) + alpha;
}

}  // namespace

ExponentialDecay::ExponentialDecay(Options options) : ScheduleOf(std::move(options)) {
    check_rate(options_.initial_learning_rate, "initial_learning_rate", kType);
    check_steps(options_.decay_steps, "decay_steps", kType);
    check_rate(options_.decay_rate, "decay_rate", kType);
}

double ExponentialDecay::at(int64_t iteration) const {
    const double periods = static_cast<double>(iteration) / static_cast<double>(options_.decay_steps);
    return options_.initial_learning_rate *
           std::pow(options_.decay_rate, options_.staircase ? std::floor(periods) : periods);
}

CosineDecay::CosineDecay(Options options) : ScheduleOf(std::move(options)) {
    check_rate(options_.initial_learning_rate, "initial_learning_rate", kType);
    check_steps(options_.decay_steps, "decay_steps", kType);
    check_rate(options_.alpha, "alpha", kType);
    if (options_.warmup_target) check_rate(*options_.warmup_target, "warmup_target", kType);
    require(options_.warmup_steps >= 0, "[", kType, "] warmup_steps must not be negative, got ", options_.warmup_steps);
}

double CosineDecay::at(int64_t iteration) const {
    const auto steps = static_cast<double>(options_.decay_steps);
    const auto now = static_cast<double>(iteration);
    if (!options_.warmup_target)
        return options_.initial_learning_rate * cosine(std::min(now, steps) / steps, options_.alpha);
    const auto warmup = static_cast<double>(options_.warmup_steps);
    const double target = *options_.warmup_target;
    if (now < warmup) return options_.initial_learning_rate + (target - options_.initial_learning_rate) * now / warmup;
    return target * cosine(std::min(now - warmup, steps) / steps, options_.alpha);
}

CosineDecayRestarts::CosineDecayRestarts(Options options) : ScheduleOf(std::move(options)) {
    check_rate(options_.initial_learning_rate, "initial_learning_rate", kType);
    check_steps(options_.first_decay_steps, "first_decay_steps", kType);
    check_rate(options_.alpha, "alpha", kType);
    check_rate(options_.m_mul, "m_mul", kType);
    require(options_.t_mul >= 1.0 && std::isfinite(options_.t_mul), "[", kType, "] t_mul must be at least 1, got ",
            options_.t_mul);
}

double CosineDecayRestarts::at(int64_t iteration) const {
    double done = static_cast<double>(iteration) / static_cast<double>(options_.first_decay_steps);
    double period = 0.0;
    if (options_.t_mul == 1.0) {
        period = std::floor(done);
        done -= period;
    } else {
        period = std::floor(std::log(1.0 - done * (1.0 - options_.t_mul)) / std::log(options_.t_mul));
        const double started = (1.0 - std::pow(options_.t_mul, period)) / (1.0 - options_.t_mul);
        done = (done - started) / std::pow(options_.t_mul, period);
    }
    const double height = std::pow(options_.m_mul, period);
    return options_.initial_learning_rate *
           ((1.0 - options_.alpha) * 0.5 * height * (1.0 + std::cos(kPi * done)) + options_.alpha);
}

PiecewiseConstantDecay::PiecewiseConstantDecay(Options options) : ScheduleOf(std::move(options)) {
    require(options_.values.size() == options_.boundaries.size() + 1, "[", kType,
            "] needs one value more than boundaries, got ", options_.values.size(), " values and ",
            options_.boundaries.size(), " boundaries");
    require(std::is_sorted(options_.boundaries.begin(), options_.boundaries.end()), "[", kType,
            "] boundaries must be in increasing order");
    for (double value : options_.values) check_rate(value, "values", kType);
}

double PiecewiseConstantDecay::at(int64_t iteration) const {
    const auto next = std::lower_bound(options_.boundaries.begin(), options_.boundaries.end(), iteration);
    return options_.values[static_cast<size_t>(next - options_.boundaries.begin())];
}

PolynomialDecay::PolynomialDecay(Options options) : ScheduleOf(std::move(options)) {
    check_rate(options_.initial_learning_rate, "initial_learning_rate", kType);
    check_rate(options_.end_learning_rate, "end_learning_rate", kType);
    check_steps(options_.decay_steps, "decay_steps", kType);
    require(std::isfinite(options_.power), "[", kType, "] power must be a finite number");
}

double PolynomialDecay::at(int64_t iteration) const {
    auto steps = static_cast<double>(options_.decay_steps);
    auto now = static_cast<double>(iteration);
    if (options_.cycle) {
        steps *= now == 0.0 ? 1.0 : std::ceil(now / steps);
    } else {
        now = std::min(now, steps);
    }
    return (options_.initial_learning_rate - options_.end_learning_rate) * std::pow(1.0 - now / steps, options_.power) +
           options_.end_learning_rate;
}

}  // namespace striate
