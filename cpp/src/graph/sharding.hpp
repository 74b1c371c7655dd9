// Training on batches that are cut in shards, in one process or in several.
#pragma once

#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "graph/tree_sum.hpp"
#include "striate/trainer.hpp"

namespace striate {

// What went wrong in a step of this process: the others must know before they change the model.
class Failure {
  public:
    // Calls `work`, unless something failed before.
    template <class Work>
    void attempt(const Work& work) {
        if (failed()) return;
        try {
            work();
        } catch (const std::exception& error) {
            set(error.what(), std::current_exception());
        }
    }
    void set(const std::string& text, std::exception_ptr thrown) {
        text_ = text;
        thrown_ = std::move(thrown);
    }
    bool failed() const { return thrown_ != nullptr; }
    const std::string& text() const { return text_; }
    [[noreturn]] void rethrow() const { std::rethrow_exception(thrown_); }

  private:
    std::string text_;
    std::exception_ptr thrown_;
};

class Sharding {
  public:
    Sharding(Trainer::State& trainer, int64_t shards, Exchange* exchange);

    const TreeSum& tree() const { return tree_; }
    std::pair<int64_t, int64_t> own_rows(int64_t count) const {
        return {shard_begin(count, tree_.first_shard()), shard_begin(count, tree_.last_shard())};
    }

    // A step on a batch of `count` rows. The data and the memory of predictions begin at its row `skipped`.
    double train(const int64_t* rows, int64_t first, int64_t count, int64_t skipped,
                 const std::vector<float*>& predictions);
    double test(const int64_t* rows, int64_t first, int64_t count, int64_t skipped,
                const std::vector<float*>& predictions);
    void fail_step(const std::string& why);
    void begin_pass();
    void finish_pass(const std::string& failure);
    void add_up(std::vector<int64_t>& numbers) const;

    bool stop = false, stop_agreed = false;

  private:
    // The rows of a step, and where each shard of them begins.
    struct Rows {
        const int64_t* list;
        int64_t first, count, skipped;
    };

    int64_t shard_begin(int64_t count, int64_t shard) const { return part_begin(count, tree_.shards(), shard); }
    double step(const Rows& rows, const std::vector<float*>& predictions, Failure& failure);
    void run_shard(int64_t shard, const Rows& rows, const std::vector<float*>& predictions);
    std::vector<float*> predictions_of(const std::vector<float*>& all, int64_t rows) const;
    void check(const Rows& rows) const;
    void count_targets(const Rows& rows);
    void share_counts(Failure& failure);
    void exchange_all(int64_t count);
    void read_state(float* to) const;
    void write_state(const float* from);

    // Tells all processes how this one fares, by message[0]; afterwards `all_` has the messages of all. Throws
    // DistributedError in all processes when one of them failed.
    void agree(const Failure& failure, std::vector<double>& message);
    [[noreturn]] void throw_for_all(const Failure& failure);
    double* sums_of(int64_t shard) { return message_.data() + 1 + (shard - tree_.first_shard()) * width_; }
    // Adds the numbers of all shards, in their order.
    void add_sums();

    Trainer::State& trainer_;
    Exchange* exchange_;
    TreeSum tree_;
    StateMean mean_;
    int64_t width_;     // doubles of a shard in a message: the sums of all outputs' losses, and the penalty
    int64_t most_own_;  // shards that one process has
    std::vector<double> message_, all_, totals_, pass_;
    std::vector<float> before_, state_;  // moving averages before the step; of a shard, or after it
    // For each output, classes that are left out of its mean, and how many targets of the batch are of other classes.
    struct Counted {
        size_t output;
        int64_t ignored;
        double own = 0.0, all = 0.0;
    };
    std::vector<Counted> counted_;
};

}  // namespace striate
