// Builds a plan: the values of the graph, the halos they need, the steps of each pass, and the memory.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cpu/bands.hpp"
#include "device/device.hpp"
#include "layers/activation_steps.hpp"
#include "planning/memory.hpp"
#include "running/plan.hpp"

namespace striate {

// A layer's place in the plan. The rewrites (rewrites.cpp) turn the graph's nodes into these.
struct PlanNode {
    LayerPtr layer;
    std::vector<int> inputs;  // values
    int output;               // value
    int graph_layer;          // whose parameters it has
    int graph_node;           // of which it is all or a part
    // What rewrites put into it:
    LayerPtr norm = nullptr;                            // batch normalisation behind it, by its weights; inference only
    int norm_layer = -1;                                // whose parameters that has
    int addend = -1;                                    // which of the inputs is added to its result
    std::optional<ActivationFunction> activation = {};  // of its result; inference only
    bool passes_gradient = false;                       // of its output to its inputs, as it is
};

// A tensor between layers.
struct PlanValue {
    Shape shape;  // without the batch
    Halo halo, gradient_halo;
    bool needs_gradient = false;
    int readers = 0;  // of it, in the forward pass
    // The value of which it is some of the channels, from this one on; -1: none.
    int part_of = -1;
    int64_t part_first = 0;
    TensorId tensor;

    struct Contribution {
        TensorId tensor;
        bool owned;  // made for this value alone, so that more can be added to it in place
    };
    std::vector<Contribution> gradients;
};

struct Network {
    std::vector<PlanNode> nodes;  // in order
    std::vector<PlanValue> values;
    std::vector<int> node_values;  // of each node of the graph; -1: not needed
};

// The graph's nodes that the request needs, as plan nodes, after the table of rewrites.
Network make_network(const Graph& graph, const PlanRequest& request);

class PlanBuilder final : public BackwardContext {
  public:
    PlanBuilder(const Graph& graph, Parameters& parameters, const PlanRequest& request);
    std::unique_ptr<Plan> build();
    size_t measure();
    // By value of the network: whether it is between two steps of a chain that could be computed in bands, however
    // large its map is.
    std::vector<char> between_bands();

    // PlanContext
    int64_t batch() const override { return request_.batch; }
    bool training() const override {
        const Mode mode = current_ < 0 ? Mode::of_run : graph_.nodes[static_cast<size_t>(node().graph_node)].mode;
        return mode == Mode::of_run ? request_.training : mode == Mode::training;
    }
    bool frozen() const override { return frozen(node().graph_layer); }
    bool backward_follows() const override { return request_.backward; }
    bool winograd() const override { return request_.options.winograd; }
    bool weights_stay() const override { return !request_.training; }
    const std::string& name() const override;
    size_t input_count() const override { return node().inputs.size(); }
    TensorId input(size_t index) const override;
    TensorId output() override;
    bool adds_to_output() const override { return node().addend >= 0; }
    const ActivationFunction* output_activation() const override {
        return node().activation ? &*node().activation : nullptr;
    }
    void output_is(TensorId source) override;
    TensorId parameter(const std::string& name) override;
    bool wants_parameter_gradient(const std::string& name) const override;
    bool wants_input_gradient(size_t index) const override;
    uint64_t random_stream() const override;
    TensorId create(Shape shape, Halo halo, DType type) override;
    const Shape& shape(TensorId id) const override { return tensors_.at(id.index).shape; }
    DType type(TensorId id) const override { return tensors_.at(id.index).type; }
    Halo halo(TensorId id) const override { return tensors_.at(id.index).halo; }
    Extent extent(TensorId id) const override;
    View view(TensorId id) const override;
    TensorId channels(TensorId whole, int64_t first, int64_t count) override;
    bool same_memory(TensorId a, TensorId b) const override;
    TensorId constant(const void* data, Shape shape, DType type) override;
    const Device& device() const override { return *request_.device; }
    void step(Step step) override;
    void prepare(Step step) override;
    void backward(std::function<void(BackwardContext&)> emit) override;
    TensorId output_gradient() override;
    TensorId input_gradient(size_t index) override;
    void pass_input_gradient(size_t index, TensorId gradient) override;
    TensorId parameter_gradient(const std::string& name) override;

  private:
    const std::vector<int>& sources() const { return request_.sources.empty() ? graph_.inputs : request_.sources; }

    struct TensorInfo {
        Shape shape;
        Halo halo;
        DType type;
        int storage;
        size_t offset;  // of pixel (0, 0) within the storage, in bytes
        int64_t pixel;  // floats from pixel to pixel: more than channels when it is a part of a wider tensor
    };
    struct Inplace {
        int step, from, to;  // storages
    };

    const PlanNode& node() const { return network_.nodes[current_]; }
    bool frozen(int layer) const { return !request_.frozen.empty() && request_.frozen[static_cast<size_t>(layer)]; }
    PlanValue& value(int index) { return network_.values[index]; }
    Shape batched(const Shape& shape) const;
    int parameter_index(int layer, const std::string& name) const;

    void choose_halos();
    void choose_gradients();
    void emit_inputs();
    void emit_forward();
    void emit_outputs();
    void emit_losses();
    const WholeBatch* whole_batch(const Loss& loss, size_t output);
    void emit_output_seeds();
    void emit_backward();
    void emit_update();
    std::vector<TensorId> value_arenas();
    void keep_penalties(TensorId penalties);
    void emit_all();
    bool cuts_into_bands() const;
    void merge_into_bands();
    size_t chain_from(size_t first, double least_bytes, std::vector<BandCall>& calls) const;
    ArenaSizes lay_out_arenas();
    void note_halos(Plan& plan) const;
    std::unique_ptr<DeviceRun> device_run(const Accelerator& device, Plan& plan) const;
    void finish(Plan& plan);

    TensorId tensor_of(int value);
    TensorId parameter_of(int layer, const std::string& name);
    TensorId folded(const std::string& parameter);
    TensorId alias(TensorId source, Shape shape);
    TensorId outside(Mirrored* memory, size_t begin, Shape shape, DType type = DType::float32, bool constant = false);
    TensorId arena(Mirrored* memory, int64_t size) { return outside(memory, 0, {size}); }
    TensorId gradient_of(int value);
    TensorId gradient_place(int parameter);
    TensorId contiguous_copy(TensorId source);
    void emit_addend(TensorId from);
    void emit_copy(const char* what, TensorId from, TensorId to);
    void emit_accumulate(const char* what, TensorId from, TensorId to);
    void emit_gather(const char* what, std::vector<PlanData::Source> PlanData::*sources, size_t index, TensorId to);
    void begin(Plan::Section section) {
        section_ = section;
        sections_[section] = steps_.size();
    }
    void touch(const Step& step, int at);

    const Graph& graph_;
    Parameters& parameters_;
    const PlanRequest& request_;
    Network network_;
    std::unique_ptr<Plan> plan_;

    int current_ = -1;
    Plan::Section section_ = Plan::gather;  // the one being built
    bool measuring_ = false;                // no memory: the plan will not run
    bool in_backward_ = false;
    bool for_output_ = false;  // the steps being added only serve a reader of the output
    std::vector<TensorInfo> tensors_;
    std::vector<Storage> storages_;
    std::vector<Inplace> inplace_;
    std::vector<ScheduledStep> steps_, prepare_;
    size_t sections_[Plan::section_count] = {};
    std::vector<std::pair<int, std::function<void(BackwardContext&)>>> tape_;  // plan node, emitter
    std::vector<TensorId> parameter_tensors_, gradient_tensors_;
    // Of plan nodes with a batch normalisation in them, what replaces their parameters.
    struct Folded {
        TensorId scale, kernel, bias;
    };
    std::map<int, Folded> folded_;
    std::vector<char> gradient_written_;
    std::vector<std::pair<TensorId, TensorId>> pending_sums_;  // of a shared layer's parameter gradients
    std::vector<int> makers_;                                  // by value: the node that makes it
    std::vector<char> joint_;  // by plan node: an activation that the loss computes jointly
};

}  // namespace striate
