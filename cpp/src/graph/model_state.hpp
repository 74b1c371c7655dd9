// What a model consists of, for the model itself and for its trainers.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "device/choice.hpp"
#include "graph/parameters.hpp"
#include "planning/image_pieces.hpp"
#include "running/plan.hpp"
#include "step_lock.hpp"
#include "striate/model.hpp"

namespace striate {

struct Model::State {
    State(Graph g, uint64_t s);

    Graph graph;
    uint64_t seed;
    bool random;  // predictions draw numbers: a call's mode is training
    std::atomic<uint64_t> random_runs{0};
    Parameters parameters;
    std::atomic<PlanOptions> options{PlanOptions::from_environment()};
    std::atomic<const Device*> device{&default_device()};  // that plans are made for

    // Taken by Reading and Writing: of weights, gradients, and what raw passes and training keep. Never while the GIL
    // is held.
    WeightLocks weights;

    // A plan of inference, and the memory that it runs in.
    struct Lease {
        std::unique_ptr<Workspace> workspace;
        std::unique_ptr<Plan> plan;
    };
    // Those that no call uses at the moment; each call borrows one of each. The most recently used come first.
    std::mutex& mutex = forks::shared_mutex();
    std::vector<std::unique_ptr<Plan>> idle;
    std::vector<std::unique_ptr<Workspace>> idle_workspaces;

    // What the images of a prediction are cut by, for the outputs and options that were last predicted with.
    struct Cutting {
        std::vector<int> outputs;
        PlanOptions options;
        Traffic traffic;
    };
    std::optional<Cutting> cutting;
    // How a batch is predicted.
    Pieces pieces_of(const PlanRequest& request);

    Workspace raw_workspace;
    std::unique_ptr<Plan> raw;  // of forward() and backward()
    bool raw_forward_done = false;
    std::thread::id raw_thread;  // of the last forward()
    uint64_t raw_version = 0;    // of the weights that it saw
    uint64_t raw_passes = 0;

    // The number that random numbers of a prediction depend on beside the seed.
    uint64_t next_run();
    // Of inference, for the model's outputs.
    PlanRequest request(int64_t batch) const;
    // Which layers are not trainable now.
    std::vector<char> frozen() const;
    // Plans are made for this device from now on. Throws std::runtime_error, after the move, when the former device was
    // lost with weights that were changed there.
    void move_to(const Device& other);
    Lease borrow(const PlanRequest& request);
    void give_back(Lease lease);
};

// Checks arrays against the model's inputs; returns the number of rows, which must agree and be positive.
int64_t check_inputs(const Graph& graph, const std::vector<Array>& inputs);

// Points the plan's inputs at these arrays.
void set_sources(std::vector<PlanData::Source>& sources, const std::vector<Array>& arrays);

}  // namespace striate
