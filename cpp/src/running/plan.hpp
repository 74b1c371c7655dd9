// A plan: the steps of one graph for one batch size and one purpose, with all the memory that they need.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "cpu/cpu.hpp"
#include "cpu/executor.hpp"
#include "device/memory.hpp"
#include "graph/parameters.hpp"
#include "running/device_run.hpp"
#include "running/workspace.hpp"
#include "striate/loss.hpp"
#include "striate/optimizer.hpp"

namespace striate {

struct PlanRequest {
    const Device* device = &cpu();
    int64_t batch = 1;
    int64_t whole = 0;  // rows of the batch that this one is a part of, for losses; 0: it is whole
    PlanOptions options;
    bool training = false;  // layers behave as in training
    bool backward = false;  // from the outputs' gradients, or from the losses if there are any
    bool input_gradient = false;
    bool weight_gradients = true;  // of a backward pass
    std::vector<char> frozen;      // layers whose weights training leaves as they are; empty: none
    std::vector<int> sources;      // nodes of the graph whose values are given; empty: its inputs
    std::vector<int> outputs;      // nodes of the graph
    std::vector<int> watched;      // nodes whose value and gradient are kept to be read

    // For training and evaluation steps; one loss for each output, or null.
    std::vector<LossPtr> losses;
    std::vector<float> loss_scales;
    std::vector<char> labels;          // whether the targets of each output are class labels
    std::vector<Shape> weight_shapes;  // of the sample weights of each output, with the batch
    OptimizerPtr optimizer;
    std::vector<Mirrored*> slots;  // the optimizer's arenas
    Mirrored* scalars = nullptr;   // its numbers of the step

    bool same_plan(const PlanRequest& other) const {
        return device == other.device && batch == other.batch && whole == other.whole && options == other.options &&
               training == other.training && backward == other.backward && input_gradient == other.input_gradient &&
               weight_gradients == other.weight_gradients && frozen == other.frozen && sources == other.sources &&
               outputs == other.outputs && watched == other.watched && labels == other.labels &&
               weight_shapes == other.weight_shapes;
    }
};

// Where a run reads and writes what is not the plan's: pointers into whole arrays of the caller's. Sizes are fixed with
// the plan.
struct PlanData {
    struct Source {
        const void* data = nullptr;
        DType type = DType::float32;
    };
    std::vector<Source> inputs, targets, weights, output_gradients;
    std::vector<float*> outputs;    // null: not wanted
    const int64_t* rows = nullptr;  // which rows of the arrays; null: `first` and those that follow
    int64_t first = 0;

    int64_t row(int64_t index) const { return rows ? rows[index] : first + index; }
};

class Plan {
  public:
    enum Section { gather, forward, loss, backward, update, end, section_count };

    Plan();

    // Runs in this memory from now on. Whatever ran in it before, what this plan computed there is gone.
    void use(Workspace& workspace);

    // Runs the sections [from, to). What depends on parameters alone is prepared anew if they changed since.
    // `first_row` is the row of a larger batch that this one begins at, for random numbers.
    void run(Section from, Section to, uint64_t seed, uint64_t iteration, int64_t first_row = 0);

    PlanData data;
    Recorder* recorder = nullptr;  // of what run() does, while there is one

    // The sums that an output's loss follows from; null where it has no loss.
    const double* loss_sums(size_t output);
    // What the losses of a part of a batch are told of the whole, for each output.
    std::deque<WholeBatch>& whole() { return whole_; }
    // The penalty of the weights, before they were updated; 0 where no regularizer asks for one.
    double penalty();
    const PlanRequest& request() const { return request_; }
    uint64_t number() const { return number_; }
    size_t own_bytes() const { return own_.size(); }
    size_t arena_bytes() const { return own_.size() + shared_bytes_; }

    // The values or the gradient of a watched node, and the gradient of an input, as contiguous copies.
    void read_watched(size_t index, float* value, float* gradient);
    void read_input_gradient(size_t index, float* out);

    const std::vector<ScheduledStep>& steps() const { return steps_; }

  private:
    friend class PlanBuilder;

    void run_steps(const std::vector<ScheduledStep>& steps, size_t first, size_t last, const Frame& frame,
                   bool with_output, Recorder* to);
    void bring_to_host();
    const std::byte* host_memory(TensorId tensor);
    void read(TensorId tensor, float* out);

    // A map in the shared arena that needs zeros around it.
    struct HaloedMap {
        size_t offset, element;  // bytes
        Shape shape;
        Halo halo;
    };
    // Where a tensor is: at `offset` of the shared arena; or at `fixed`.
    struct Place {
        std::byte* fixed;
        size_t offset;
    };
    void clear_halos(std::byte* arena) const;
    // Finds the kernels of the calls, and memory for their arguments.
    void resolve();
    // Writes where the tensors are into the arguments.
    void bind();

    PlanRequest request_;
    uint64_t number_;  // no two plans have the same
    Parameters* parameters_ = nullptr;
    std::vector<ScheduledStep> prepare_, steps_;
    size_t sections_[section_count] = {};
    std::vector<Place> places_;
    std::vector<std::byte*> tensors_;  // what `places_` mean in the workspace
    std::vector<HaloedMap> haloed_;
    std::vector<View> views_;
    TensorId penalties_;
    std::vector<TensorId> loss_sums_, input_gradients_, watched_values_, watched_gradients_;
    std::vector<Mirrored*> outside_;  // memory that is not the plan's
    std::deque<Mirrored> constants_;  // which stay where they are
    std::deque<WholeBatch> whole_;    // likewise; empty where the batch is whole
    AlignedBuffer arguments_;         // of the calls, with their pointers
    AlignedBuffer own_;
    std::unique_ptr<DeviceRun> device_run_;  // of a plan on an accelerator
    size_t shared_bytes_ = 0, scratch_ = 0;
    Workspace* workspace_ = nullptr;
    uint64_t prepared_version_ = 0;
    Executor executor_;
};

// Throws ValueError when a layer or a loss cannot be planned, std::bad_alloc when there is no memory.
std::unique_ptr<Plan> build_plan(const Graph& graph, Parameters& parameters, const PlanRequest& request);

// What Plan::arena_bytes() would be, without that memory or any for gradients.
size_t measure_plan(const Graph& graph, Parameters& parameters, const PlanRequest& request);

}  // namespace striate
