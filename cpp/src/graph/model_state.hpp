// What a model consists of, for the model itself and for its trainers.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "graph/parameters.hpp"
#include "graph/plan.hpp"
#include "step_lock.hpp"
#include "striate/model.hpp"

namespace striate {

struct Model::State {
    State(Graph g, uint64_t s) : graph(std::move(g)), seed(s), parameters(graph, s) {}

    Graph graph;
    uint64_t seed;
    Parameters parameters;
    std::atomic<PlanOptions> options{PlanOptions::from_environment()};
    uint64_t structure = 0;  // grows when plans become invalid

    // Taken by Reading and Writing: of weights, gradients, what is frozen, and what raw passes and training keep. Never
    // while the GIL is held.
    StepLock weights;

    // A plan of inference, and the memory that it runs in.
    struct Lease {
        std::unique_ptr<Workspace> workspace;
        std::unique_ptr<Plan> plan;
    };
    // Those that no call uses at the moment; each call borrows one of each. The most recently used come first.
    std::mutex& mutex = forks::shared_mutex();
    std::vector<std::unique_ptr<Plan>> idle;
    std::vector<std::unique_ptr<Workspace>> idle_workspaces;

    Workspace raw_workspace;
    std::unique_ptr<Plan> raw;  // of forward() and backward()
    bool raw_forward_done = false;
    std::thread::id raw_thread;  // of the last forward()
    uint64_t raw_version = 0;    // of the weights that it saw
    uint64_t raw_passes = 0;

    Lease borrow(const PlanRequest& request);
    void give_back(Lease lease);
};

// Checks arrays against the model's inputs; returns the number of rows, which must agree and be positive.
int64_t check_inputs(const Graph& graph, const std::vector<Array>& inputs);

// Points the plan's inputs at these arrays.
void set_sources(std::vector<PlanData::Source>& sources, const std::vector<Array>& arrays);

}  // namespace striate
