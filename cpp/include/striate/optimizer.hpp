// What an optimizer is: arguments, a learning-rate schedule, and the steps of one fused pass over the arena of
// parameters.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "striate/config.hpp"
#include "striate/plan.hpp"
#include "striate/regularizers.hpp"

namespace striate STRIATE_API {

// A learning rate as a function of the training step.
class Schedule {
  public:
    virtual ~Schedule() = default;
    virtual std::string type() const = 0;
    virtual Config config() const = 0;
    virtual double at(int64_t iteration) const = 0;
};
using SchedulePtr = std::shared_ptr<const Schedule>;

SchedulePtr make_schedule(const std::string& type, const Config& config);
std::vector<std::string> schedule_types();

// One variable, such as a layer's kernel. Offsets are in floats; each variable begins on a cache line of its own.
struct Segment {
    int64_t offset;  // in the arenas of gradients and slots, where segments are in order
    int64_t size;
    bool trainable;    // false: a frozen layer's, left as it is
    std::string name;  // "conv2d/kernel"
    size_t values;     // which of UpdateContext::values its value is in
    int64_t value_offset;
    Penalty penalty = {};
};

// What an optimizer gets of the plan.
struct UpdateContext {
    PlanContext& plan;
    std::vector<TensorId> values;  // float32 arenas of weights: one, or several where models have layers in common
    TensorId gradients;            // a float32 arena of `size` floats
    std::vector<TensorId> slots;   // as many arenas of that size as slots()
    TensorId scalars;              // what scalars() wrote for this step
    int64_t size;
    std::vector<Segment> segments;
    // Where segments have penalties: the optimizer adds their gradients to those of the losses, and makes this a tensor
    // of doubles whose sum is the penalty of the weights before the step.
    TensorId& penalties;
};

class Optimizer {
  public:
    virtual ~Optimizer() = default;
    virtual std::string type() const = 0;
    virtual Config config() const = 0;

    // Arenas of state that it keeps, their names ("momentum", "velocity"), and what each is filled with before the
    // first step.
    virtual std::vector<std::string> slots() const = 0;
    virtual float initial(size_t slot) const {
        (void)slot;
        return 0.0f;
    }

    // The numbers that change from step to step (learning rate, bias corrections), written before each step to a block
    // of scalar_count floats that the kernels read.
    virtual size_t scalar_count() const = 0;
    virtual void scalars(int64_t iteration, double learning_rate, float* out) const = 0;

    virtual double learning_rate(int64_t iteration) const = 0;

    // Throws ValueError when the arguments name weights that are not among these.
    virtual void check(const std::vector<Segment>& segments) const { (void)segments; }

    virtual void emit(const UpdateContext& context) const = 0;
};
using OptimizerPtr = std::shared_ptr<const Optimizer>;

OptimizerPtr make_optimizer(const std::string& type, const Config& config);
std::vector<std::string> optimizer_types();

}  // namespace striate STRIATE_API
