// Learning-rate schedules, as Keras defines them.
#pragma once

#include <optional>
#include <vector>

#include "striate/optimizer.hpp"

namespace striate STRIATE_API {

template <class Derived, class OptionsType>
class ScheduleOf : public Schedule {
  public:
    using Options = OptionsType;
    explicit ScheduleOf(Options options) : options_(std::move(options)) {}
    std::string type() const override { return Derived::kType; }
    Config config() const override { return write_fields(options_); }
    const Options& options() const { return options_; }

  protected:
    Options options_;
};

struct ExponentialDecayOptions {
    double initial_learning_rate = 0.0;
    int64_t decay_steps = 0;
    double decay_rate = 0.0;
    bool staircase = false;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("initial_learning_rate", self.initial_learning_rate);
        visit("decay_steps", self.decay_steps);
        visit("decay_rate", self.decay_rate);
        visit("staircase", self.staircase);
    }
};

// initial * decay_rate ^ (step / decay_steps); with staircase the quotient is rounded down.
class ExponentialDecay : public ScheduleOf<ExponentialDecay, ExponentialDecayOptions> {
  public:
    static constexpr const char* kType = "ExponentialDecay";
    explicit ExponentialDecay(Options options);
    double at(int64_t iteration) const override;
};

struct CosineDecayOptions {
    double initial_learning_rate = 0.0;
    int64_t decay_steps = 0;
    double alpha = 0.0;
    std::optional<double> warmup_target;
    int64_t warmup_steps = 0;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("initial_learning_rate", self.initial_learning_rate);
        visit("decay_steps", self.decay_steps);
        visit("alpha", self.alpha);
        visit("warmup_target", self.warmup_target);
        visit("warmup_steps", self.warmup_steps);
    }
};

// Loshchilov & Hutter 2017, without restarts: half a cosine from the initial rate (or from warmup_target, to which it
// rises linearly over warmup_steps) down to alpha times it.
class CosineDecay : public ScheduleOf<CosineDecay, CosineDecayOptions> {
  public:
    static constexpr const char* kType = "CosineDecay";
    explicit CosineDecay(Options options);
    double at(int64_t iteration) const override;
};

struct CosineDecayRestartsOptions {
    double initial_learning_rate = 0.0;
    int64_t first_decay_steps = 0;
    double t_mul = 2.0, m_mul = 1.0, alpha = 0.0;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("initial_learning_rate", self.initial_learning_rate);
        visit("first_decay_steps", self.first_decay_steps);
        visit("t_mul", self.t_mul);
        visit("m_mul", self.m_mul);
        visit("alpha", self.alpha);
    }
};

// Loshchilov & Hutter 2017, with warm restarts: each period is t_mul times as long as the one before and starts m_mul
// times as high.
class CosineDecayRestarts : public ScheduleOf<CosineDecayRestarts, CosineDecayRestartsOptions> {
  public:
    static constexpr const char* kType = "CosineDecayRestarts";
    explicit CosineDecayRestarts(Options options);
    double at(int64_t iteration) const override;
};

struct PiecewiseConstantDecayOptions {
    std::vector<int64_t> boundaries;
    std::vector<double> values;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("boundaries", self.boundaries);
        visit("values", self.values);
    }
};

// values[i] up to and including step boundaries[i], the last value after them all.
class PiecewiseConstantDecay : public ScheduleOf<PiecewiseConstantDecay, PiecewiseConstantDecayOptions> {
  public:
    static constexpr const char* kType = "PiecewiseConstantDecay";
    explicit PiecewiseConstantDecay(Options options);
    double at(int64_t iteration) const override;
};

struct PolynomialDecayOptions {
    double initial_learning_rate = 0.0;
    int64_t decay_steps = 0;
    double end_learning_rate = 0.0001, power = 1.0;
    bool cycle = false;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("initial_learning_rate", self.initial_learning_rate);
        visit("decay_steps", self.decay_steps);
        visit("end_learning_rate", self.end_learning_rate);
        visit("power", self.power);
        visit("cycle", self.cycle);
    }
};

// (initial - end) * (1 - step / decay_steps) ^ power + end; with cycle, decay_steps grows to the next multiple of
// itself.
class PolynomialDecay : public ScheduleOf<PolynomialDecay, PolynomialDecayOptions> {
  public:
    static constexpr const char* kType = "PolynomialDecay";
    explicit PolynomialDecay(Options options);
    double at(int64_t iteration) const override;
};

}  // namespace striate STRIATE_API
