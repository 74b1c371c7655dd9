// What all optimizers share: the learning rate, weight decay and clipping, and the steps that they become.
#pragma once

#include <functional>
#include <initializer_list>
#include <optional>

#include "striate/optimizer.hpp"

namespace striate STRIATE_API {

// A number, or a schedule in its place.
struct LearningRate {
    double value = 0.001;
    SchedulePtr schedule;

    LearningRate(double v = 0.001) : value(v) {}
    LearningRate(SchedulePtr s) : schedule(std::move(s)) {}
    double at(int64_t iteration) const { return schedule ? schedule->at(iteration) : value; }
};

// A schedule is a nested config: its "type" and its arguments.
void read_value(const ConfigValue& value, LearningRate& out, const std::string& where);
ConfigValue write_value(const LearningRate& value);

// Which weights something applies to. "bias" means all weights whose own name contains it; "conv2d/kernel" one weight;
// "conv2d/" all weights of a layer. A config holds them as one string, separated by commas.
struct WeightNames {
    std::vector<std::string> names;

    WeightNames() = default;
    WeightNames(std::initializer_list<std::string> list) : names(list) {}
    bool match(const std::string& weight) const;
};

void read_value(const ConfigValue& value, WeightNames& out, const std::string& where);
ConfigValue write_value(const WeightNames& value);

struct OptimizerOptions {
    LearningRate learning_rate;
    // Each step takes learning_rate * weight_decay of every weight away, apart from the gradient (Loshchilov & Hutter
    // 2019).
    std::optional<double> weight_decay;
    WeightNames exclude_from_weight_decay;
    // At most one of these: the largest norm of a variable's gradient, the largest of all gradients together, the
    // largest value.
    std::optional<double> clipnorm, global_clipnorm, clipvalue;

    template <class Self, class Visitor>
    static void common_fields(Self& self, Visitor&& visit) {
        visit("learning_rate", self.learning_rate);
        visit("weight_decay", self.weight_decay);
        visit("exclude_from_weight_decay", self.exclude_from_weight_decay);
        visit("clipnorm", self.clipnorm);
        visit("global_clipnorm", self.global_clipnorm);
        visit("clipvalue", self.clipvalue);
    }
};

// The numbers of a rule and the kernel that does it.
struct UpdateRule {
    enum Kind { sgd, rmsprop, adagrad, adadelta, adam, nadam, lion } kind = sgd;
    double rate0 = 0.0, rate1 = 0.0, epsilon = 0.0;
    bool nesterov = false, centered = false, amsgrad = false;
    int slot_of[3] = {-1, -1, -1};  // which of slots() the kernel finds as its first, second and third; -1: none
};

// Throws ValueError, naming `owner`, for numbers that make no sense.
void check_optimizer(const OptimizerOptions& options, const std::string& owner);
void check_fraction(double value, const char* name, const std::string& owner);      // 0 <= value < 1
void check_not_negative(double value, const char* name, const std::string& owner);  // 0 <= value, finite

void check_names(const std::vector<Segment>& segments, const OptimizerOptions& options, const std::string& owner);
void emit_update(const UpdateContext& context, const OptimizerOptions& options, const UpdateRule& rule);

template <class Derived, class OptionsType>
class OptimizerOf : public Optimizer {
  public:
    using Options = OptionsType;
    explicit OptimizerOf(Options options) : options_(std::move(options)) { check_optimizer(options_, Derived::kType); }

    std::string type() const override { return Derived::kType; }
    Config config() const override { return write_fields(options_); }
    const Options& options() const { return options_; }
    double learning_rate(int64_t iteration) const override { return options_.learning_rate.at(iteration); }
    size_t scalar_count() const override { return 1; }
    void scalars(int64_t, double rate, float* out) const override { out[0] = static_cast<float>(rate); }
    void check(const std::vector<Segment>& segments) const override { check_names(segments, options_, Derived::kType); }
    void emit(const UpdateContext& context) const override { emit_update(context, options_, rule()); }

  protected:
    virtual UpdateRule rule() const = 0;
    Options options_;
};

}  // namespace striate STRIATE_API
