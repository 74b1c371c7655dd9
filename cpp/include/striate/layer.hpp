// What a layer is: a description that never changes, which infers shapes, names its parameters and says which steps it
// needs; and the weights that it has in every model.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "striate/config.hpp"
#include "striate/plan.hpp"
#include "striate/regularizers.hpp"
#include "striate/tensor.hpp"

namespace striate STRIATE_API {

// A tensor that belongs to a layer.
struct Parameter {
    std::string name;  // "kernel", "bias", "moving_mean", ...
    Shape shape;
    std::string initializer = "zeros";  // see initializers.hpp
    bool trainable = true;              // false: state that training updates by other means, such as moving averages
    std::optional<std::string> regularizer = {};  // see regularizers.hpp
};

// How far one output position sees, in each direction: for the receptive field (Araujo et al., 2019).
struct Window {
    Pair size{1, 1};
    Pair stride{1, 1};
    bool global = false;  // sees the whole map
};

struct LayerWeights;  // internal: src/graph/weights.hpp
class Layer;
using LayerPtr = std::shared_ptr<const Layer>;

class Layer {
  public:
    explicit Layer(std::string name) : name_(std::move(name)) {}
    virtual ~Layer() = default;
    Layer(const Layer&) = delete;
    Layer& operator=(const Layer&) = delete;

    // The class's name as the API has it: "Conv2D".
    virtual std::string type() const = 0;
    // The arguments, enough to make an equal layer.
    virtual Config config() const = 0;

    // Empty when the user gave none: the model then names it.
    const std::string& name() const { return name_; }
    // For messages: the name, or what the first of its type in a model would be called ("conv2d").
    std::string label() const;

    // Shapes are without the batch dimension. Throws ValueError when the inputs do not fit.
    virtual Shape infer(const std::vector<Shape>& inputs) const = 0;
    virtual std::vector<Parameter> parameters(const std::vector<Shape>& inputs) const;

    // The zero halo that it wants around its input map, and, for its backward pass, around the gradient of its output.
    virtual Halo input_halo(const std::vector<Shape>& inputs) const;
    virtual Halo gradient_halo(const std::vector<Shape>& inputs) const;

    // True when each output element depends on the input element in its place alone, so that the output may take over
    // the input's memory; the planner then gives both the same halo.
    virtual bool elementwise() const { return false; }
    // True when, at inference, each sample's output depends on that sample's inputs alone, whatever else is in the
    // batch. A batch is then predicted in pieces where that is faster.
    virtual bool per_sample() const { return false; }
    // "softmax" or "sigmoid" when that is all it does: a cross-entropy behind it is computed jointly, from its input.
    virtual std::string joint_activation() const { return {}; }
    // An activation at its end that the plan handles as a layer of its own, or null.
    virtual LayerPtr activation() const { return nullptr; }

    // Adds the steps of the forward pass to the plan and says how to add those of the backward pass.
    virtual void emit(PlanContext& plan) const = 0;

    // Whether trainers that are made from now on change its weights; where they do not, batch normalisation uses its
    // moving averages and leaves them as they are. Models that have the layer in common share this, as its weights.
    bool trainable() const { return trainable_.load(std::memory_order_relaxed); }
    void set_trainable(bool trainable) const { trainable_.store(trainable, std::memory_order_relaxed); }

    // Its weights, once a model was built with it. Before, has_weights() is false and the others throw ValueError.
    bool has_weights() const;
    std::vector<Parameter> weights() const;
    // Copies of some of them, all of one moment: between two steps of training that other threads do.
    void read_weights(const std::vector<size_t>& which, const std::vector<float*>& out) const;
    void write_weights(const std::vector<size_t>& which, const std::vector<const float*>& values) const;

    virtual Window window() const { return {}; }
    // Multiply-adds of one forward pass over one sample.
    virtual int64_t multiply_adds(const std::vector<Shape>& inputs) const;

  protected:
    // Throws unless there is exactly one input and it is of the given rank (without the batch).
    const Shape& single(const std::vector<Shape>& inputs) const;
    const Shape& single(const std::vector<Shape>& inputs, size_t rank, const char* form) const;

  private:
    friend class Parameters;
    std::shared_ptr<LayerWeights> claimed() const;

    std::string name_;
    // The layer's weights, from the first model on that is built with it, are no part of what it is described by.
    mutable std::shared_ptr<LayerWeights> weights_;
    mutable std::atomic<bool> trainable_{true};
};

// A layer whose arguments are a struct `Options` with a static `fields` (see config.hpp). `Derived` has
// `static constexpr const char* kType` and may check its options in its constructor.
template <class Derived, class OptionsType>
class LayerOf : public Layer {
  public:
    using Options = OptionsType;
    LayerOf(Options options, std::string name) : Layer(std::move(name)), options_(std::move(options)) {}

    std::string type() const override { return Derived::kType; }
    Config config() const override { return write_fields(options_); }
    const Options& options() const { return options_; }
    bool per_sample() const override { return true; }

  protected:
    Options options_;
};

// "MaxPooling2D" -> "max_pooling2d", as Keras names layers.
std::string snake_case(const std::string& type);

// Makes a layer from its type and arguments: what a model file and the Python classes use. Throws ValueError for a type
// that there is none of.
LayerPtr make_layer(const std::string& type, const Config& config, const std::string& name);
std::vector<std::string> layer_types();

}  // namespace striate STRIATE_API
