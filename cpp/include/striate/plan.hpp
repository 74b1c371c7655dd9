// What a layer sees of the plan: the schedule of steps that is built once for a graph, a batch size and a mode, and
// then run again and again without allocating, transposing or looking anything up.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "striate/tensor.hpp"
#include "striate/view.hpp"

namespace striate STRIATE_API {

class Layer;
class Device;
class BackwardContext;
struct ActivationFunction;
struct KernelCall;

// Rows and columns of zeros around a map.
struct Halo {
    int64_t top = 0, bottom = 0, left = 0, right = 0;
    bool empty() const { return top == 0 && bottom == 0 && left == 0 && right == 0; }
    bool covers(const Halo& o) const {
        return top >= o.top && bottom >= o.bottom && left >= o.left && right >= o.right;
    }
    bool operator==(const Halo& o) const {
        return top == o.top && bottom == o.bottom && left == o.left && right == o.right;
    }
};

// The elements [begin, end) around the first element of a tensor, which has number 0.
struct Extent {
    int64_t begin = 0, end = 0;
};

// A tensor of a plan. Ids are small numbers; the memory behind them is laid out when the plan is complete.
struct TensorId {
    int32_t index = -1;
    bool valid() const { return index >= 0; }
    bool operator==(const TensorId& other) const { return index == other.index; }
};

// What a step gets when it runs.
struct Frame {
    std::byte* const* tensors = nullptr;  // by id; inside the halo
    uint64_t seed = 0;                    // of the run, for counter-based random numbers
    uint64_t iteration = 0;               // of training, counted from 0
    int64_t first_row = 0;                // of the step's batch, where the run has a part of it alone

    template <class T = float>
    T* get(TensorId id) const {
        return reinterpret_cast<T*>(tensors[id.index]);
    }
};

// Which rows of its first input a step reads for a row of its output: `taps` rows, from row * stride - before on. Rows
// that are not in the map are zeros of its halo. A stride of 0 says nothing.
struct RowMap {
    int64_t stride = 0, taps = 1, before = 0;
};
constexpr RowMap kSameRows{1, 1, 0};

// One call of one of the library's kernels, or of a function of your own. `units` pieces of work follow from shapes
// alone and are dealt out to the threads in contiguous ranges, with a barrier between steps. `scratch` bytes of
// private memory are given to each thread. Every tensor that the step touches must be among `reads` or `writes`: the
// memory of a tensor is used for others before its first and after its last step.
struct Step {
    const char* what = "";
    std::vector<TensorId> reads, writes;
    int64_t units = 1;
    size_t scratch = 0;
    double flops = 0;  // for the profiler, and to keep small work on one thread
    double bytes = 0;
    std::shared_ptr<const KernelCall> call;                                                 // the library's own
    std::function<void(const Frame&, int64_t begin, int64_t end, std::byte* scratch)> run;  // else: runs on the host
    RowMap rows;  // from reads[0] to writes[0], image by image
    // A pair (from, to): `to` may take over the memory of `from` if nothing reads `from` afterwards.
    TensorId inplace_from, inplace_to;
};

// How a model's plans are built. Choices of the running program, which no model file keeps; each changes results by
// rounding alone.
// Aligned to its size, so that clang loads it atomically without libatomic.
struct alignas(2) PlanOptions {
    bool fusion = true;    // neighbouring layers are computed jointly
    bool winograd = true;  // 3x3 convolutions by minimal filtering (Lavin and Gray, CVPR 2016) where that is faster

    // What STRIATE_FUSION and STRIATE_WINOGRAD say: "0" is off, "1", empty or unset is on. Throws ValueError, naming
    // the variable, for anything else.
    static PlanOptions from_environment();
    bool operator==(const PlanOptions& o) const { return fusion == o.fusion && winograd == o.winograd; }
};

class PlanContext {
  public:
    virtual ~PlanContext() = default;

    virtual int64_t batch() const = 0;
    // True when the forward pass behaves as in training (batch statistics, dropout).
    virtual bool training() const = 0;
    // True when the layer's weights are to be left as they are, which for batch normalisation means its moving averages
    // too.
    virtual bool frozen() const = 0;
    // True when a backward pass will follow, so that what it needs must be kept.
    virtual bool backward_follows() const = 0;
    // Whether convolutions may be computed by Winograd's minimal filtering (see PlanOptions).
    virtual bool winograd() const = 0;
    // Whether weights stay as they are over many runs, so that what prepare() makes of them costs nothing.
    virtual bool weights_stay() const = 0;

    // The layer that is being planned.
    virtual const std::string& name() const = 0;
    virtual size_t input_count() const = 0;
    virtual TensorId input(size_t index = 0) const = 0;
    virtual TensorId output() = 0;
    // True when the output holds a map already that the layer's result is to be added to, before its activation.
    virtual bool adds_to_output() const = 0;
    // The activation of the layer's sums that the plan has the layer apply itself; null: none.
    virtual const ActivationFunction* output_activation() const = 0;
    // Makes the output the same memory as `source`, in the output's shape. `source` must have no halo.
    virtual void output_is(TensorId source) = 0;

    virtual TensorId parameter(const std::string& name) = 0;
    // Whether anyone wants the gradient of this parameter or of an input.
    virtual bool wants_parameter_gradient(const std::string& name) const = 0;
    virtual bool wants_input_gradient(size_t index = 0) const = 0;
    // A number that no other user of random numbers in this model has, the same in every plan of the model.
    virtual uint64_t random_stream() const = 0;

    // A new tensor; `shape` is whole, with the batch. It lives from the first step that writes it to the last that
    // names it.
    virtual TensorId create(Shape shape, Halo halo = {}, DType type = DType::float32) = 0;
    virtual const Shape& shape(TensorId id) const = 0;
    virtual DType type(TensorId id) const = 0;
    virtual Halo halo(TensorId id) const = 0;
    // What may be touched through a pointer to the tensor: its memory, with its halo, and with the channels of a wider
    // tensor around it.
    virtual Extent extent(TensorId id) const = 0;
    virtual View view(TensorId id) const = 0;
    // Whether its elements are contiguous, without a halo or other channels between them.
    bool contiguous(TensorId id) const { return halo(id).empty() && view(id).pixel == view(id).c; }
    // Some of the channels of a tensor, without a copy.
    virtual TensorId channels(TensorId whole, int64_t first, int64_t count) = 0;
    // Whether both are the same elements in memory.
    virtual bool same_memory(TensorId a, TensorId b) const = 0;

    // A tensor with these bytes, for every run of the plan: numbers that a kernel reads and that follow from the shapes
    // or from the layer's arguments.
    virtual TensorId constant(const void* data, Shape shape, DType type) = 0;

    // What the plan will run on: its kernels, and its rules of cutting work.
    virtual const Device& device() const = 0;

    virtual void step(Step step) = 0;
    // Work that depends on parameters only, such as packing weights: done at every pass in training, and once for all
    // passes in inference, until a parameter changes.
    virtual void prepare(Step step) = 0;

    // Registers what adds the steps of the backward pass; called later, in reverse order, if the output has a gradient.
    virtual void backward(std::function<void(BackwardContext&)> emit) = 0;
};

// What a layer sees of the plan while the steps of its backward pass are added.
class BackwardContext : public PlanContext {
  public:
    // The gradient of the loss with respect to the output; it may be read by others too and must not be written.
    virtual TensorId output_gradient() = 0;
    // A tensor to write (every element of it) the gradient with respect to an input to; call once for an input, if
    // wanted.
    virtual TensorId input_gradient(size_t index = 0) = 0;
    // Passes a gradient on as it is (or in the input's shape, if `gradient` has no halo): the gradient of a sum or a
    // reshape.
    virtual void pass_input_gradient(size_t index, TensorId gradient) = 0;
    // Where to write (every element of it) the gradient of a parameter.
    virtual TensorId parameter_gradient(const std::string& name) = 0;
};

}  // namespace striate STRIATE_API
