#include "own.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "numpy.hpp"
#include "whole_class.hpp"

namespace striate::bindings {
namespace {

// Of the process: held by the call that runs Python code. Never destroyed: threads may outlive main().
std::mutex& turn() {
    static std::mutex& mutex = *new std::mutex;
    return mutex;
}
OwnCalls* current = nullptr;  // guarded by turn()
thread_local int inside = 0;  // calls of Python code that this thread is in
thread_local bool fork_has = false;
std::atomic<bool> any_layers{false};

// Runs Python code within a step, on any thread.
void run_python(const std::function<void()>& call) {
    OwnCalls* const calls = current;
    if (!calls || calls->failed()) return;
    const WithGil gil;
    ++inside;
    try {
        call();
    } catch (...) {
        calls->fail(std::current_exception());
    }
    --inside;
}

// A Python object that may be let go of by a thread without the GIL.
using Kept = std::shared_ptr<py::object>;
Kept keep(py::object object) {
    return Kept(new py::object(std::move(object)), [](py::object* kept) {
        const WithGil gil;
        delete kept;
    });
}

int64_t elements(const View& v) {
    return v.n * v.h * v.w * v.c;
}

// Copies between a tensor of a plan and one run of floats.
template <class Copy>
void each_run(const View& v, const Copy& copy) {
    const int64_t run = v.pixel == v.c ? v.w * v.c : v.c, runs = v.w * v.c / run;
    for (int64_t n = 0; n < v.n; ++n)
        for (int64_t i = 0; i < v.h * runs; ++i)
            copy(n * v.image + i / runs * v.row + i % runs * v.pixel, (n * v.h * runs + i) * run, run);
}

py::array_t<float> to_array(const View& v, const float* from, const Shape& shape) {
    py::array_t<float> array(shape);
    float* const out = array.mutable_data();
    each_run(v,
             [&](int64_t at, int64_t to, int64_t count) { std::memcpy(out + to, from + at, count * sizeof(float)); });
    return array;
}

void fill_zeros(const View& v, float* to) {
    each_run(v, [&](int64_t at, int64_t, int64_t count) { std::fill_n(to + at, count, 0.0f); });
}

// `given` has been checked by the Python side; a wrong size would be a fault there.
void from_array(const View& v, const py::handle& given, float* to) {
    const auto array = py::cast<py::array_t<float, py::array::c_style | py::array::forcecast>>(given);
    require(array.size() == elements(v), "an array of ", array.size(), " numbers for a tensor of ", elements(v));
    const float* const from = array.data();
    each_run(v, [&](int64_t at, int64_t place, int64_t count) {
        std::memcpy(to + at, from + place, count * sizeof(float));
    });
}

// A loss that `compute` computes: (y_true, y_pred, weights, scale, wants_gradient) -> (sum, count, gradient).
class PythonLoss : public Loss {
  public:
    PythonLoss(std::string type, py::object compute) : type_(std::move(type)), compute_(keep(std::move(compute))) {}

    std::string type() const override { return type_; }
    Config config() const override { return {}; }
    bool takes_labels(const Shape& output) const override { return output.back() > 1; }

    void emit(const LossContext& context) const override {
        PlanContext& plan = context.plan;
        Step step;
        step.what = "own loss";
        step.reads = {context.prediction, context.target, context.weights};
        step.writes = {context.sums};
        if (context.gradient.valid()) step.writes.push_back(context.gradient);
        const LossContext c = context;
        const View prediction = plan.view(c.prediction), weights = plan.view(c.weights), target = plan.view(c.target);
        const Shape shape = plan.shape(c.prediction), weight_shape = plan.shape(c.weights),
                    target_shape = plan.shape(c.target);
        const bool integers = plan.type(c.target) == DType::int64;
        step.run = [=, ids = Ids{c.prediction, c.target, c.weights, c.gradient, c.sums}, first = c.first_sum,
                    scale = c.scale, compute = compute_](const Frame& f, int64_t, int64_t, std::byte*) {
            double* const sums = f.get<double>(ids.sums) + first;
            sums[0] = 0.0;
            sums[1] = 1.0;
            if (ids.gradient.valid()) fill_zeros(prediction, f.get(ids.gradient));
            run_python([&] {
                py::array true_values;
                if (integers) {
                    py::array_t<int64_t> labels(target_shape);
                    std::copy_n(f.get<int64_t>(ids.target), labels.size(), labels.mutable_data());
                    true_values = std::move(labels);
                } else {
                    true_values = to_array(target, f.get(ids.target), target_shape);
                }
                const py::tuple found =
                    (*compute)(true_values, to_array(prediction, f.get(ids.prediction), shape),
                               to_array(weights, f.get(ids.weights), weight_shape), scale, ids.gradient.valid());
                const auto sum = found[0].cast<double>(), count = found[1].cast<double>();
                if (ids.gradient.valid()) from_array(prediction, found[2], f.get(ids.gradient));
                sums[0] = sum;
                sums[1] = count;
            });
        };
        plan.step(std::move(step));
    }

  private:
    struct Ids {
        TensorId prediction, target, weights, gradient, sums;
    };

    std::string type_;
    Kept compute_;
};

// A layer whose methods are those of a Python object, which this does not keep alive.
class PythonLayer : public Layer {
  public:
    PythonLayer(std::string type, std::string name, const py::object& owner)
        : Layer(std::move(name)), type_(std::move(type)), owner_(keep(py::weakref(owner))) {
        any_layers = true;
    }

    std::string type() const override { return type_; }
    Config config() const override {
        const WithGil gil;
        return to_config(owner().attr("_own_config")().cast<py::dict>(), label());
    }
    py::object owner() const {
        py::object object = (*owner_)();
        require(!object.is_none(), "[", label(),
                "] the layer's Python object no longer exists; keep a reference to the model");
        return object;
    }

    Shape infer(const std::vector<Shape>& inputs) const override { return described(inputs).output; }
    std::vector<Parameter> parameters(const std::vector<Shape>& inputs) const override {
        return described(inputs).parameters;
    }

    void emit(PlanContext& plan) const override {
        const Call call = call_of(plan);
        Step step;
        step.what = "own layer";
        step.reads = call.inputs;
        step.reads.insert(step.reads.end(), call.parameters.begin(), call.parameters.end());
        const TensorId output = plan.output();
        step.writes = {output};
        const View to = plan.view(output);
        // What the layer keeps of this call for its backward pass.
        const auto kept = std::make_shared<Kept>();
        step.run = [=, training = plan.training(), keeps = plan.backward_follows(), owner = owner_](
                       const Frame& f, int64_t, int64_t, std::byte*) {
            fill_zeros(to, f.get(output));
            run_python([&] {
                const py::object layer = (*owner)();
                const py::tuple found = layer.attr("_own_call")(call.input_arrays(f), call.weight_arrays(f), training);
                from_array(to, found[0], f.get(output));
                if (keeps) *kept = keep(found[1]);
            });
        };
        plan.step(std::move(step));
        plan.backward(
            [call, kept, owner = owner_](BackwardContext& context) { emit_backward(context, call, kept, owner); });
    }

  private:
    struct Described {
        Shape output;
        std::vector<Parameter> parameters;
    };

    // What a call of the layer in a plan reads.
    struct Call {
        std::vector<TensorId> inputs, parameters;
        std::vector<std::string> names;  // of the parameters
        std::vector<View> input_views;
        std::vector<Shape> input_shapes, parameter_shapes;

        py::list input_arrays(const Frame& f) const {
            py::list arrays;
            for (size_t i = 0; i < inputs.size(); ++i)
                arrays.append(to_array(input_views[i], f.get(inputs[i]), input_shapes[i]));
            return arrays;
        }
        py::dict weight_arrays(const Frame& f) const {
            py::dict arrays;
            for (size_t i = 0; i < parameters.size(); ++i)
                arrays[py::str(names[i])] = copy_to_numpy(f.get(parameters[i]), parameter_shapes[i]);
            return arrays;
        }
    };

    Call call_of(PlanContext& plan) const {
        Call call;
        std::vector<Shape> shapes;
        for (size_t i = 0; i < plan.input_count(); ++i) {
            const TensorId id = plan.input(i);
            call.inputs.push_back(id);
            call.input_views.push_back(plan.view(id));
            const Shape& shape = call.input_shapes.emplace_back(plan.shape(id));
            shapes.emplace_back(shape.begin() + 1, shape.end());
        }
        for (const Parameter& parameter : described(shapes).parameters) {
            call.names.push_back(parameter.name);
            call.parameters.push_back(plan.parameter(parameter.name));
            call.parameter_shapes.push_back(parameter.shape);
        }
        return call;
    }

    static void emit_backward(BackwardContext& plan, const Call& call, const std::shared_ptr<Kept>& kept,
                              const Kept& owner) {
        struct Wanted {
            std::vector<std::pair<size_t, TensorId>> inputs;  // number of the input, its gradient
            std::vector<std::pair<std::string, TensorId>> weights;
            std::vector<View> input_views;
            std::vector<int64_t> sizes;  // of the weights
        } wanted;
        const TensorId dy = plan.output_gradient();
        Step step;
        step.what = "own layer";
        step.reads = call.inputs;
        step.reads.insert(step.reads.end(), call.parameters.begin(), call.parameters.end());
        step.reads.push_back(dy);
        for (size_t i = 0; i < call.inputs.size(); ++i) {
            if (!plan.wants_input_gradient(i)) continue;
            const TensorId id = plan.input_gradient(i);
            wanted.inputs.emplace_back(i, id);
            wanted.input_views.push_back(plan.view(id));
            step.writes.push_back(id);
        }
        for (size_t i = 0; i < call.names.size(); ++i) {
            if (!plan.wants_parameter_gradient(call.names[i])) continue;
            const TensorId id = plan.parameter_gradient(call.names[i]);
            wanted.weights.emplace_back(call.names[i], id);
            wanted.sizes.push_back(element_count(call.parameter_shapes[i]));
            step.writes.push_back(id);
        }
        if (step.writes.empty()) return;
        const View from = plan.view(dy);
        const Shape shape = plan.shape(dy);
        step.run = [=](const Frame& f, int64_t, int64_t, std::byte*) {
            for (size_t i = 0; i < wanted.inputs.size(); ++i)
                fill_zeros(wanted.input_views[i], f.get(wanted.inputs[i].second));
            for (size_t i = 0; i < wanted.weights.size(); ++i)
                std::fill_n(f.get(wanted.weights[i].second), wanted.sizes[i], 0.0f);
            run_python([&] {
                const py::object layer = (*owner)();
                const Kept state = std::exchange(*kept, nullptr);
                const py::tuple found =
                    layer.attr("_own_backward")(to_array(from, f.get(dy), shape), call.input_arrays(f),
                                                call.weight_arrays(f), state ? *state : py::none());
                const py::list inputs = found[0];
                const py::dict weights = found[1];
                for (size_t i = 0; i < wanted.inputs.size(); ++i)
                    from_array(wanted.input_views[i], inputs[wanted.inputs[i].first], f.get(wanted.inputs[i].second));
                for (size_t i = 0; i < wanted.weights.size(); ++i) {
                    const View flat{1, 1, 1, wanted.sizes[i], wanted.sizes[i], wanted.sizes[i], wanted.sizes[i]};
                    from_array(flat, weights[py::str(wanted.weights[i].first)], f.get(wanted.weights[i].second));
                }
            });
        };
        plan.step(std::move(step));
    }

    // Asked once for each shape of the inputs.
    Described described(const std::vector<Shape>& inputs) const {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            const auto found = known_.find(inputs);
            if (found != known_.end()) return found->second;
        }
        const WithGil gil;
        const py::tuple answer = owner().attr("_own_describe")(to_tuples(inputs));
        Described made{answer[0].cast<Shape>(), {}};
        for (const py::handle item : answer[1]) {
            const auto parts = py::reinterpret_borrow<py::tuple>(item);
            made.parameters.push_back({parts[0].cast<std::string>(), parts[1].cast<Shape>(),
                                       parts[2].cast<std::string>(), parts[3].cast<bool>(),
                                       parts[4].cast<std::optional<std::string>>()});
        }
        const std::lock_guard<std::mutex> lock(mutex_);
        return known_.emplace(inputs, std::move(made)).first->second;
    }

    std::string type_;
    Kept owner_;  // a weak reference
    mutable std::mutex mutex_;
    mutable std::map<std::vector<Shape>, Described> known_;
};

}  // namespace

OwnCalls::OwnCalls() {
    if (!inside) {
        const WithoutGil released;
        turn().lock();
        taken_ = true;
    }
    outer_ = std::exchange(current, this);
}

OwnCalls::~OwnCalls() {
    current = outer_;
    if (taken_) turn().unlock();
}

bool has_own_code(const Model& model) {
    if (!any_layers) return false;
    const auto& layers = model.graph().layers;
    return std::any_of(layers.begin(), layers.end(), [](const Graph::LayerEntry& entry) {
        return dynamic_cast<const PythonLayer*>(entry.layer.get()) != nullptr;
    });
}

bool has_own_code(const std::vector<LossPtr>& losses) {
    return std::any_of(losses.begin(), losses.end(),
                       [](const LossPtr& loss) { return dynamic_cast<const PythonLoss*>(loss.get()) != nullptr; });
}

void register_own(py::module_& m) {
    m.def(
        "own_loss",
        [](const std::string& type, const py::object& compute) {
            return std::static_pointer_cast<Loss>(std::make_shared<PythonLoss>(type, compute));
        },
        py::arg("type"), py::arg("compute"));
    m.def(
        "own_layer",
        [](const std::string& type, const std::string& name, const py::object& owner) {
            return std::static_pointer_cast<Layer>(std::make_shared<PythonLayer>(type, name, owner));
        },
        py::arg("type"), py::arg("name"), py::arg("owner"));
    m.def(
        "owner_of",
        [](const Layer& layer) -> py::object {
            const auto* own = dynamic_cast<const PythonLayer*>(&layer);
            return own ? own->owner() : py::none();
        },
        py::arg("layer"));
    // Around a fork, in the thread that forks.
    m.def("before_fork", [] {
        if (inside || fork_has) return;
        const WithoutGil released;
        turn().lock();
        fork_has = true;
    });
    m.def("after_fork", [] {
        if (!fork_has) return;
        fork_has = false;
        turn().unlock();
    });
}

}  // namespace striate::bindings
