// Training: a model with a loss for each output and an optimizer. One call is one step: forward, loss, backward,
// update.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "striate/exchange.hpp"
#include "striate/loss.hpp"
#include "striate/model.hpp"
#include "striate/optimizer.hpp"

namespace striate STRIATE_API {

// Whole arrays from which batches are taken.
struct Dataset {
    std::vector<Array> inputs;
    std::vector<Array> targets;  // one for each output; of an output without a loss it is not read
    // Float32, (N,) or with the target's leading dimensions: none, one for all outputs, or one for each. No data: all
    // ones.
    std::vector<Array> weights;
};

// A trainer is for one thread at a time. Other threads may use its model meanwhile, see Model.
class Trainer {
  public:
    // `losses` has one for each output, null for one that is not trained, `loss_weights` likewise or is empty (all 1).
    // The model must outlive the trainer. Random numbers (dropout) follow from `seed` and the number of steps done.
    Trainer(Model& model, OptimizerPtr optimizer, std::vector<LossPtr> losses, std::vector<double> loss_weights,
            uint64_t seed);
    ~Trainer();
    Trainer(const Trainer&) = delete;
    Trainer& operator=(const Trainer&) = delete;

    // Checks all arrays against the model and the losses. They are borrowed and must outlive the steps that use them.
    // When it throws, the trainer is bound to what it was bound to before. Steps check labels, boxes and sample weights
    // again, since the caller may have changed them.
    void bind(const Dataset& data);
    // Forgets the arrays; no step can follow before the next bind().
    void release() noexcept;
    // One step on the rows rows[0..count) of the bound arrays, or rows first..first+count when `rows` is null. Returns
    // the loss. `predictions` is empty or has, for each output, null or memory for the outputs before the update.
    double train_step(const int64_t* rows, int64_t first, int64_t count, const std::vector<float*>& predictions = {});
    // The loss alone, as in inference.
    double test_step(const int64_t* rows, int64_t first, int64_t count, const std::vector<float*>& predictions = {});
    // Trains on the rows first..first+count for each of `firsts`, with a clock at each step, after a run without. Then
    // weights, moving averages, gradients, the optimizer's state and the number of steps done are as they were before.
    Profile profile(const std::vector<int64_t>& firsts, int64_t count, const BeforeRun& before_run = {});
    // From now on each batch is cut in `shards` parts of (nearly) as many rows, whose gradients are computed one after
    // the other and added in a fixed order. With an exchange, which must outlive its use here, each process computes
    // its own part of the shards: all of them train the same model on the same batches, and call train_step() with the
    // same numbers. The bits depend on `shards`, and on neither the number of processes nor that of threads. Batch
    // normalisation takes the statistics of a shard, and moving averages become the mean of the shards'; losses that do
    // not add up over rows, such as Dice over the batch, are those of the shards. Throws ValueError if there are fewer
    // shards than processes. 1 without an exchange is as before.
    void set_shards(int64_t shards, Exchange* exchange = nullptr);
    int64_t shards() const;
    // The rows of a batch of `count` that this process computes: [first, second).
    std::pair<int64_t, int64_t> own_rows(int64_t count) const;
    // As train_step() and test_step() for a batch of `count` rows, where the data and the memory for predictions hold
    // the rows of this process alone.
    double train_part(const int64_t* rows, int64_t first, int64_t count, const std::vector<float*>& predictions = {});
    double test_part(const int64_t* rows, int64_t first, int64_t count, const std::vector<float*>& predictions = {});
    // In place of a training step that this process cannot do: all processes throw DistributedError, which says `why`.
    void fail_step(const std::string& why);
    // After the last test step of a pass over shards: the losses since begin_epoch() become those of all processes.
    // `failure` tells what went wrong in this one, and then all throw DistributedError.
    void finish_pass(const std::string& failure = "");
    // Adds up such numbers of all processes.
    void add_up(std::vector<int64_t>& numbers) const;
    // Asks that training ends after the next step. With an exchange, all processes know after the same step: then
    // stop_agreed() is true.
    void ask_to_stop(bool stop);
    bool stop_agreed() const;
    // Of the last step, for each output, without its weight; 0 where it has no loss.
    const std::vector<double>& losses() const;

    // The same of all steps since begin_epoch(), and the sum of them with their weights: the loss over all samples (or
    // pixels) that those steps saw, whatever their batches. Losses over the batch, such as Dice without axis, are then
    // those of the whole set.
    void begin_epoch();
    std::vector<double> epoch_losses() const;
    double epoch_loss() const;

    // Overrides the optimizer's schedule while it is not negative.
    void set_learning_rate(double rate);
    double learning_rate() const;
    // What was set, if it overrides.
    std::optional<double> learning_rate_override() const;

    // Bytes of working memory that one step of this batch size takes, beside weights, gradients and optimizer state.
    size_t arena_bytes(int64_t batch, bool training) const;

    // Steps and epochs done; the order of the rows in an epoch follows from the seed and the latter.
    int64_t iteration() const;
    void set_iteration(int64_t iteration);
    int64_t epochs() const;
    void set_epochs(int64_t epochs);
    uint64_t seed() const;
    void set_seed(uint64_t seed);
    // The optimizer's state: arenas of as many floats as parameter_arena_size(), in the order of Optimizer::slots().
    size_t slot_count() const;
    void read_slot(size_t slot, float* out) const;
    void write_slot(size_t slot, const float* values);
    int64_t parameter_arena_size() const;
    // Where the part of parameters()[index], which must be trainable, begins in such an arena.
    int64_t parameter_offset(size_t index) const;

    // Whether Layer::trainable() of a layer is not what it was when the trainer was made, which is what the trainer
    // keeps to.
    bool trainable_changed() const;
    // From now on the layers that the models of both trainers have are trained as `before` trains them. Drops plans.
    void train_as(const Trainer& before);

    const Optimizer& optimizer() const;
    const std::vector<LossPtr>& loss_functions() const;
    // The model's.
    const std::vector<ParameterInfo>& parameters() const;
    std::vector<Shape> output_shapes() const;
    // As the model's, for the optimizer's state too.
    void read(const std::function<void()>& use) const;
    void write(const std::function<void()>& change);

    struct State;  // internal: src/graph/trainer_state.hpp
    State& state() const { return *state_; }

  private:
    std::unique_ptr<State> state_;
};

}  // namespace striate STRIATE_API
