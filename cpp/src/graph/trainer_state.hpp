// What a trainer consists of, for the trainer itself and for the files of its state.
#pragma once

#include <memory>
#include <vector>

#include "graph/model_state.hpp"
#include "striate/trainer.hpp"

namespace striate {

class Sharding;

struct Trainer::State {
    State(Model& m, OptimizerPtr o, std::vector<LossPtr> l);
    ~State();

    Model::State& model;
    OptimizerPtr optimizer;
    std::vector<LossPtr> losses;
    std::vector<float> scales;
    std::vector<char> frozen;  // layers that were when the trainer was made
    uint64_t seed = 0;
    int64_t iteration = 0, epochs = 0;
    double rate_override = -1.0;

    // The optimizer's arenas, and its numbers of the step.
    std::vector<Mirrored> slots;
    Mirrored scalars;

    // What bind() was given, and what follows from it. It is replaced as a whole.
    struct Bound {
        Dataset data;
        int64_t rows = 0;
        std::vector<Shape> weight_dimensions;  // beyond the rows, for each output
        std::vector<char> labels;              // whether each output's targets are class labels
        std::vector<Array> parts;              // targets of some rows: `data` and the first dimension are set for each

        const Array& weights_of(size_t output) const {
            static const Array& none = *new Array;
            return data.weights.empty() ? none : data.weights[data.weights.size() == 1 ? 0 : output];
        }
    } bound;
    std::vector<int64_t> step_rows;

    Workspace workspace;  // of all plans: only one step runs at a time
    std::vector<std::unique_ptr<Plan>> plans;
    std::vector<double> last_losses;
    // Since begin_epoch(): the sums of each output's loss; of the weights' penalties, each for the rows of its step;
    // rows.
    std::vector<std::vector<double>> epoch_sums;
    double epoch_penalty = 0.0, epoch_rows = 0.0;

    std::unique_ptr<Sharding> sharding;  // null where batches are not cut

    // `whole` is the number of rows of the batch that `batch` rows are a part of; 0: they are all.
    PlanRequest request(int64_t batch, bool training, int64_t whole = 0);
    Plan& plan(int64_t batch, bool training, int64_t whole = 0);
    // Checks the rows and points the plan to them.
    void aim(Plan& plan, const int64_t* row_list, int64_t first, int64_t count, const std::vector<float*>& predictions);
    // The loss of a step from its sums and its penalty; adds them to those of the epoch.
    double account(double penalty, int64_t count, const std::function<const double*(size_t)>& sums);
    double run(Plan& plan, const int64_t* row_list, int64_t first, int64_t count,
               const std::vector<float*>& predictions);
    void check_target(Bound& made, size_t output) const;
    void check_weights(Bound& made) const;
    void check_given_weights(Bound& made, size_t output) const;
    void check_values(const int64_t* row_list, int64_t first, int64_t count);
    void check_values(int64_t first, int64_t count);
    double loss_of(size_t output, const double* sums) const;
    double train_step(const int64_t* row_list, int64_t first, int64_t count, const std::vector<float*>& predictions);
    double learning_rate() const;
};

// Throws ValueError unless a step may take these rows of the bound data.
void check_rows(int64_t rows, const int64_t* list, int64_t first, int64_t count);

}  // namespace striate
