// A network with its weights: prediction, raw forward and backward passes, weights in and out.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "striate/graph.hpp"
#include "striate/profile.hpp"
#include "striate/tensor.hpp"

namespace striate STRIATE_API {

struct ParameterInfo {
    std::string name;  // "conv2d/kernel"
    Shape shape;
    int layer;
    bool trainable;        // false: moving averages and the like
    Penalty penalty = {};  // that training adds to the loss
};

// Weights belong to layers. The first model that is built with a layer draws its weights; every other model that is
// built with the same Layer object has the same weights, moving averages and Layer::trainable(): what one trains, the
// others compute with. Gradients and the optimizer's state are each model's and trainer's own.
//
// Sharing a model among threads. Any number of threads may call const functions, forward(), backward() and the other
// functions that change weights at the same time, and one thread may train the model meanwhile: each prediction of a
// batch, each copy and each change of weights happens between two steps. Where other threads use the model,
// read_parameter() and read_gradient() are called within read() or write(), and write_parameter() within write().
class Model {
  public:
    // Weights are drawn here, by each layer's initializers, from `seed`.
    Model(const std::vector<Symbol>& inputs, const std::vector<Symbol>& outputs, uint64_t seed);
    // The first layer must be an input.
    static Model sequential(const std::vector<LayerPtr>& layers, uint64_t seed);
    ~Model();
    Model(Model&&) noexcept;
    Model& operator=(Model&&) noexcept;

    const Graph& graph() const;
    std::vector<Shape> input_shapes() const;
    std::vector<Shape> output_shapes() const;
    uint64_t seed() const;

    const std::vector<ParameterInfo>& parameters() const;
    // Copies the value of parameters()[index] to `out`, or from `values`.
    void read_parameter(size_t index, float* out) const;
    void write_parameter(size_t index, const float* values);
    // Copies its gradient of the last backward pass. False: there is none, and `out` is left as it is.
    bool read_gradient(size_t index, float* out) const;
    // Calls `use` while nothing changes weights or gradients.
    void read(const std::function<void()>& use) const;
    // Calls `change` while nothing else reads or changes them.
    void write(const std::function<void()>& change);
    // Grows with every change of a weight that the library knows of.
    uint64_t weights_version() const;
    // Of each memory that holds weights of this model: its address, and one of the layers whose weights are in it. Two
    // models that have a layer with weights in common have a memory in common.
    std::vector<std::pair<uintptr_t, std::string>> weight_stores() const;
    // Sets Layer::set_trainable of a layer by its name.
    void set_trainable(const std::string& layer, bool trainable);
    bool trainable(const std::string& layer) const;

    // How plans are built from now on, by predict() and the like and by trainers; until it is set,
    // PlanOptions::from_environment() as it was when the model was made.
    PlanOptions plan_options() const;
    void set_plan_options(PlanOptions options);

    // Where the model computes from now on: "cpu", "cuda" for the first GPU, "cuda:1" for the second. Until it is set,
    // what STRIATE_DEVICE in the environment says, or "cpu". Weights stay as they are; a GPU has a copy of them, and
    // what training changes there is copied back when it is read. A GPU needs the plugin of the package striate-cuda:
    // where that, the driver or a device is missing, std::runtime_error says which. Throws ValueError for another name.
    std::string device() const;
    void set_device(const std::string& name);

    // One output tensor for each output of the model; inputs are float32 or uint8 of shape (N, ...), N at least 1.
    std::vector<Tensor> predict(const std::vector<Array>& inputs, int64_t batch_size = 32) const;
    // The same, into the caller's memory. `before_batch` is called before each batch; an exception of it ends the call.
    void predict_into(const std::vector<Array>& inputs, int64_t batch_size, const std::vector<float*>& outputs,
                      const BeforeRun& before_batch = {}) const;
    // The outputs of these nodes of the graph instead of the model's.
    std::vector<Tensor> predict_nodes(const std::vector<Array>& inputs, const std::vector<int>& nodes,
                                      int64_t batch_size = 32, const BeforeRun& before_batch = {}) const;

    // One raw pass over a whole array, without loss or optimizer. backward() follows a forward() and gives the
    // gradients with respect to the inputs; those of the parameters are in parameters(). It may be called once for a
    // forward(), by the same thread, while the weights are the same.
    std::vector<Tensor> forward(const std::vector<Array>& inputs, bool training = false);
    std::vector<Tensor> backward(const std::vector<Array>& output_gradients);
    // The gradients of sum(outputs * output_gradients) with respect to the outputs of these nodes, and the values
    // there.
    struct NodeGradients {
        std::vector<Tensor> values, gradients;
    };
    NodeGradients node_gradients(const std::vector<Array>& inputs, const std::vector<Array>& output_gradients,
                                 const std::vector<int>& nodes);

    // Predicts the rows [first, first + count) for each `first`, with a clock at each step, after a run without. All
    // outputs are computed and none is kept.
    Profile profile(const std::vector<Array>& inputs, const std::vector<int64_t>& firsts, int64_t count,
                    const BeforeRun& before_run = {}) const;

    // Bytes of working memory that one pass of this batch size takes.
    size_t arena_bytes(int64_t batch, bool training) const;

    struct State;  // internal: src/graph/model_state.hpp
    State& state() const { return *state_; }

  private:
    std::unique_ptr<State> state_;
};

}  // namespace striate STRIATE_API
