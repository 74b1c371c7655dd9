#include "striate/trainer.hpp"

#include <algorithm>
#include <cmath>

#include "dispatch/dispatch.hpp"
#include "graph/model_state.hpp"
#include "graph/recorder.hpp"
#include "striate/error.hpp"
#include "striate/losses/detection_loss.hpp"

namespace striate {

struct Trainer::Impl {
    Impl(Model& m, OptimizerPtr o, std::vector<LossPtr> l)
        : model(m.state()), optimizer(std::move(o)), losses(std::move(l)) {}

    Model::State& model;
    OptimizerPtr optimizer;
    std::vector<LossPtr> losses;
    std::vector<float> scales;
    uint64_t seed = 0;
    int64_t iteration = 0, epochs = 0;
    double rate_override = -1.0;

    std::vector<AlignedBuffer> slots;
    AlignedBuffer scalars;

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
    uint64_t structure = 0;
    std::vector<double> last_losses;
    std::vector<std::vector<double>> epoch_sums;  // of each output's loss, since begin_epoch()

    PlanRequest request(int64_t batch, bool training);
    Plan& plan(int64_t batch, bool training);
    double run(Plan& plan, const int64_t* row_list, int64_t first, int64_t count,
               const std::vector<float*>& predictions);
    void check_target(Bound& made, size_t output) const;
    void check_weights(Bound& made) const;
    void check_given_weights(Bound& made, size_t output) const;
    void check_values(const int64_t* row_list, int64_t first, int64_t count);
    void check_values(int64_t first, int64_t count);
    double loss_of(size_t output, const double* sums) const;
};

namespace {

bool integral(DType type) {
    return type != DType::float32;
}

// Plans that are kept whatever they take: of training and evaluation, for the usual batch and an epoch's last one.
constexpr size_t kKeptRequests = 4;

}  // namespace

Trainer::Trainer(Model& model, OptimizerPtr optimizer, std::vector<LossPtr> losses, std::vector<double> loss_weights,
                 uint64_t seed)
    : impl_(std::make_unique<Impl>(model, std::move(optimizer), std::move(losses))) {
    dispatch::use_training_kernels();
    Impl& t = *impl_;
    require(t.optimizer != nullptr, "a trainer needs an optimizer");
    t.optimizer->check(t.model.parameters.segments());
    const Graph& graph = t.model.graph;
    require(t.losses.size() == graph.outputs.size(), "the model has ", graph.outputs.size(), " output(s), got ",
            t.losses.size(), " loss(es); give one for each output");
    require(loss_weights.empty() || loss_weights.size() == t.losses.size(), "expected ", t.losses.size(),
            " loss weight(s), got ", loss_weights.size());
    for (size_t o = 0; o < t.losses.size(); ++o) {
        const Shape& output = graph.nodes[graph.outputs[o]].shape;
        if (t.losses[o]) t.losses[o]->target_shape(output, graph.name(graph.outputs[o]));
        t.epoch_sums.emplace_back(t.losses[o] ? static_cast<size_t>(t.losses[o]->sum_count(output)) : 0);
        t.scales.push_back(loss_weights.empty() ? 1.0f : static_cast<float>(loss_weights[o]));
        require(std::isfinite(t.scales.back()), "loss weights must be finite numbers");
    }
    require(std::any_of(t.losses.begin(), t.losses.end(), [](const LossPtr& loss) { return loss != nullptr; }),
            "a trainer needs a loss for at least one output");
    t.seed = seed;
    t.last_losses.resize(t.losses.size());
    t.bound.weight_dimensions.resize(t.losses.size());
    for (const LossPtr& loss : t.losses) t.bound.labels.push_back(loss && loss->target_type() == DType::int64);
    const int64_t size = t.model.parameters.arena_size();
    for (size_t i = 0; i < t.optimizer->slots().size(); ++i) {
        t.slots.emplace_back(size * sizeof(float));
        std::fill_n(t.slots.back().floats(), size, t.optimizer->initial(i));
    }
    t.scalars = AlignedBuffer(std::max<size_t>(1, t.optimizer->scalar_count()) * sizeof(float));
}

Trainer::~Trainer() = default;

void Trainer::Impl::check_target(Bound& made, size_t o) const {
    if (!losses[o]) return;
    const int node = model.graph.outputs[o];
    const std::string& name = model.graph.name(node);
    const Shape& output = model.graph.nodes[node].shape;
    const Array& target = made.data.targets[o];
    const Shape expected = losses[o]->target_shape(output, name);
    const auto fits = [&](const Shape& shape) {
        return target.shape.size() == shape.size() + 1 &&
               std::equal(shape.begin(), shape.end(), target.shape.begin() + 1);
    };
    const bool only_labels = losses[o]->target_type() == DType::int64;
    const bool chosen =
        !only_labels && losses[o]->takes_labels(output) && fits(Shape(output.begin(), output.end() - 1));
    require(chosen || fits(expected), "[", losses[o]->type(), "] expects targets of shape ", with_batch(expected),
            " for the output ", with_batch(output), " of [", name, "], got ", to_string(target.shape));
    require(target.shape[0] == made.rows, "[", losses[o]->type(), "] got ", target.shape[0], " targets for ", made.rows,
            " inputs");
    if ((only_labels || chosen) && !integral(target.type))
        throw TypeError(concat("[", losses[o]->type(), "] expects integer class labels, got ", name_of(target.type)));
    losses[o]->check_targets(target, output);
    made.labels[o] = only_labels || chosen;
    made.parts[o] = target;
}

namespace {

void check_weight_values(const Array& weights, int64_t first, int64_t count) {
    const float* w = static_cast<const float*>(weights.data);
    for (int64_t i = first; i < first + count; ++i)
        require(std::isfinite(w[i]) && w[i] >= 0.0f, "sample weights must be finite and not negative; number ", i,
                " is ", w[i]);
}

}  // namespace

void Trainer::Impl::check_weights(Bound& made) const {
    const size_t count = made.data.weights.size();
    require(count <= 1 || count == losses.size(), "expected sample weights for all of the ", losses.size(),
            " outputs or for each, got ", count, " arrays");
    made.weight_dimensions.resize(losses.size());
    for (size_t o = 0; o < losses.size(); ++o)
        if (losses[o] && made.weights_of(o).data) check_given_weights(made, o);
}

void Trainer::Impl::check_given_weights(Bound& made, size_t o) const {
    const Array& weights = made.weights_of(o);
    const Shape& shape = weights.shape;
    require(weights.type == DType::float32, "sample weights must be float32, got ", name_of(weights.type));
    require(!shape.empty() && shape[0] == made.rows, "expected ", made.rows,
            " sample weights, one for each input, got shape ", to_string(shape));
    const Shape& output = model.graph.nodes[model.graph.outputs[o]].shape;
    const Shape beyond(shape.begin() + 1, shape.end());
    const bool per_row = beyond.size() + 1 == output.size() && std::equal(beyond.begin(), beyond.end(), output.begin());
    const std::string per_place =
        output.size() > 1 ? " or " + with_batch(Shape(output.begin(), output.end() - 1)) : std::string();
    require(beyond.empty() || per_row, "sample weights have shape ", to_string(shape), "; for the output ",
            with_batch(output), " they must be (N,)", per_place);
    made.weight_dimensions[o] = beyond;
    check_weight_values(weights, 0, element_count(shape));
}

void Trainer::bind(const Dataset& data) {
    Impl& t = *impl_;
    Impl::Bound made;
    made.data = data;
    made.rows = check_inputs(t.model.graph, data.inputs);
    require(data.targets.size() == t.losses.size(), "the model has ", t.losses.size(), " output(s), got ",
            data.targets.size(), " array(s) of targets");
    made.labels = t.bound.labels;
    made.parts.resize(t.losses.size());
    for (size_t o = 0; o < t.losses.size(); ++o) t.check_target(made, o);
    t.check_weights(made);
    // Nothing below throws: an error leaves what was bound before, with the plans for it.
    if (made.labels != t.bound.labels || made.weight_dimensions != t.bound.weight_dimensions) t.plans.clear();
    t.bound = std::move(made);
}

void Trainer::release() noexcept {
    Impl::Bound& bound = impl_->bound;
    bound.data.inputs.clear();
    bound.data.targets.clear();
    bound.data.weights.clear();
    bound.parts.clear();
    bound.rows = 0;
}

// The caller may have changed labels, boxes or weights since bind() checked them: a callback or another thread writes
// to the same memory.
void Trainer::Impl::check_values(const int64_t* row_list, int64_t first, int64_t count) {
    try {
        if (!row_list) return check_values(first, count);
        for (int64_t i = 0; i < count; ++i) check_values(row_list[i], 1);
    } catch (const ValueError& error) {
        fail("targets or sample weights were changed after training on them had begun, and no longer fit: ",
             error.what(), "; give fit a copy");
    }
}

void Trainer::Impl::check_values(int64_t first, int64_t count) {
    for (size_t o = 0; o < losses.size(); ++o) {
        if (!losses[o]) continue;
        // Other targets are numbers that no memory is addressed by.
        if (bound.labels[o] || losses[o]->type() == DetectionLoss::kType) {
            const Array& whole = bound.data.targets[o];
            Array& part = bound.parts[o];
            const int64_t bytes = element_count(whole.shape) / bound.rows * static_cast<int64_t>(byte_size(whole.type));
            part.data = static_cast<const std::byte*>(whole.data) + first * bytes;
            part.shape[0] = count;
            losses[o]->check_targets(part, model.graph.nodes[model.graph.outputs[o]].shape);
        }
        const Array& weights = bound.weights_of(o);
        if (!weights.data) continue;
        const int64_t each = element_count(weights.shape) / bound.rows;
        check_weight_values(weights, first * each, count * each);
    }
}

PlanRequest Trainer::Impl::request(int64_t batch, bool training) {
    PlanRequest wanted;
    wanted.batch = batch;
    wanted.options = model.options;
    wanted.training = wanted.backward = training;
    wanted.outputs = model.graph.outputs;
    for (const Shape& beyond : bound.weight_dimensions) {
        Shape& shape = wanted.weight_shapes.emplace_back(Shape{batch});
        shape.insert(shape.end(), beyond.begin(), beyond.end());
    }
    wanted.losses = losses;
    wanted.labels = bound.labels;
    wanted.loss_scales = scales;
    if (training) {
        wanted.optimizer = optimizer;
        for (AlignedBuffer& slot : slots) wanted.slots.push_back(slot.floats());
        wanted.scalars = scalars.floats();
    }
    return wanted;
}

Plan& Trainer::Impl::plan(int64_t batch, bool training) {
    if (structure != model.structure) {
        plans.clear();
        structure = model.structure;
    }
    const PlanOptions options = model.options;
    const auto found = std::find_if(plans.begin(), plans.end(), [&](const auto& p) {
        return p->request().batch == batch && p->request().training == training && p->request().options == options;
    });
    if (found != plans.end()) {
        std::rotate(plans.begin(), found, found + 1);
    } else {
        plans.insert(plans.begin(), build_plan(model.graph, model.parameters, request(batch, training)));
        drop_idle(plans, kKeptRequests, workspace);
    }
    plans.front()->use(workspace);
    return *plans.front();
}

double Trainer::Impl::run(Plan& p, const int64_t* row_list, int64_t first, int64_t count,
                          const std::vector<float*>& predictions) {
    if (row_list) {
        // A copy: the caller's memory may change between the check and the step.
        step_rows.assign(row_list, row_list + count);
        for (const int64_t row : step_rows)
            require(row >= 0 && row < bound.rows, "row ", row, " is not within the ", bound.rows, " rows of the data");
        row_list = step_rows.data();
    }
    check_values(row_list, first, count);
    require(predictions.empty() || predictions.size() == losses.size(), "expected memory for ", losses.size(),
            " output(s), got ", predictions.size());
    set_sources(p.data.inputs, bound.data.inputs);
    set_sources(p.data.targets, bound.data.targets);
    for (size_t o = 0; o < losses.size(); ++o) p.data.weights[o] = {bound.weights_of(o).data, bound.weights_of(o).type};
    for (size_t o = 0; o < losses.size(); ++o) p.data.outputs[o] = predictions.empty() ? nullptr : predictions[o];
    p.data.rows = row_list;
    p.data.first = first;
    p.run(Plan::gather, Plan::end, seed, static_cast<uint64_t>(iteration));
    double total = 0.0;
    for (size_t o = 0; o < losses.size(); ++o) {
        const double* sums = p.loss_sums(o);
        if (!sums) continue;
        for (size_t i = 0; i < epoch_sums[o].size(); ++i) epoch_sums[o][i] += sums[i];
        last_losses[o] = loss_of(o, sums);
        total += static_cast<double>(scales[o]) * last_losses[o];
    }
    return total;
}

double Trainer::Impl::loss_of(size_t o, const double* sums) const {
    return losses[o] ? losses[o]->value(sums, model.graph.nodes[model.graph.outputs[o]].shape) : 0.0;
}

namespace {

void check_rows(int64_t rows, const int64_t* list, int64_t first, int64_t count) {
    require(rows > 0, "bind() data to the trainer before stepping");
    require(count > 0, "a step needs at least one row, got ", count);
    require(list || (first >= 0 && count <= rows - first), "rows ", first, " to ", first + count,
            " are not within the ", rows, " rows of the data");
}

}  // namespace

double Trainer::train_step(const int64_t* rows, int64_t first, int64_t count, const std::vector<float*>& predictions) {
    const Writing writing(impl_->model.weights);
    return train_step_alone(rows, first, count, predictions);
}

double Trainer::train_step_alone(const int64_t* rows, int64_t first, int64_t count,
                                 const std::vector<float*>& predictions) {
    Impl& t = *impl_;
    check_rows(t.bound.rows, rows, first, count);
    Plan& plan = t.plan(count, true);
    t.optimizer->scalars(t.iteration, learning_rate(), t.scalars.floats());
    const double loss = t.run(plan, rows, first, count, predictions);
    ++t.iteration;
    t.model.parameters.changed();
    return loss;
}

double Trainer::test_step(const int64_t* rows, int64_t first, int64_t count, const std::vector<float*>& predictions) {
    Impl& t = *impl_;
    check_rows(t.bound.rows, rows, first, count);
    const Reading reading(t.model.weights);
    return t.run(t.plan(count, false), rows, first, count, predictions);
}

namespace {

// Floats that are as they were when this goes.
class Restored {
  public:
    void keep(float* data, int64_t size) { kept_.push_back({data, {data, data + size}}); }
    ~Restored() {
        for (const auto& [data, values] : kept_) std::copy(values.begin(), values.end(), data);
    }

  private:
    std::vector<std::pair<float*, std::vector<float>>> kept_;
};

}  // namespace

Profile Trainer::profile(const std::vector<int64_t>& firsts, int64_t count, const BeforeRun& before_run) {
    Impl& t = *impl_;
    require(t.bound.rows > 0, "bind() data to the trainer before profiling");
    check_profile(t.bound.rows, firsts, count);
    // All runs are one change. fork() waits for a run alone: a caller of `before_run` may wait for who forks.
    const std::unique_lock<StepLock> weights(t.model.weights);
    Plan& plan = t.plan(count, true);
    struct Rest {
        ~Rest() {
            trainer.iteration = iteration;
            trainer.last_losses.swap(losses);
            trainer.epoch_sums.swap(sums);
            trainer.model.parameters.changed();
        }
        Impl& trainer;
        int64_t iteration;
        std::vector<double> losses;
        std::vector<std::vector<double>> sums;
    } rest{t, t.iteration, t.last_losses, t.epoch_sums};
    Restored restored;
    for (const ParameterInfo& info : t.model.parameters.infos()) {
        const int64_t size = element_count(info.shape);
        restored.keep(info.value, size);
        if (info.gradient) restored.keep(info.gradient, size);
    }
    for (float* slot : slots()) restored.keep(slot, parameter_arena_size());
    return record(plan, firsts, before_run, [&](int64_t first) {
        const forks::Gate gate;
        train_step_alone(nullptr, first, count, {});
    });
}

const std::vector<double>& Trainer::losses() const {
    return impl_->last_losses;
}

void Trainer::begin_epoch() {
    for (std::vector<double>& sums : impl_->epoch_sums) std::fill(sums.begin(), sums.end(), 0.0);
}
std::vector<double> Trainer::epoch_losses() const {
    std::vector<double> losses;
    for (size_t o = 0; o < impl_->losses.size(); ++o) losses.push_back(impl_->loss_of(o, impl_->epoch_sums[o].data()));
    return losses;
}
double Trainer::epoch_loss() const {
    double total = 0.0;
    for (size_t o = 0; o < impl_->losses.size(); ++o)
        total += static_cast<double>(impl_->scales[o]) * impl_->loss_of(o, impl_->epoch_sums[o].data());
    return total;
}

void Trainer::set_learning_rate(double rate) {
    impl_->rate_override = rate;
}
double Trainer::learning_rate() const {
    return impl_->rate_override >= 0.0 ? impl_->rate_override : impl_->optimizer->learning_rate(impl_->iteration);
}

std::optional<double> Trainer::learning_rate_override() const {
    return impl_->rate_override >= 0.0 ? std::optional<double>(impl_->rate_override) : std::nullopt;
}

size_t Trainer::arena_bytes(int64_t batch, bool training) const {
    require(batch > 0, "batch must be positive, got ", batch);
    const Reading reading(impl_->model.weights);  // of what is frozen
    return measure_plan(impl_->model.graph, impl_->model.parameters, impl_->request(batch, training));
}

int64_t Trainer::iteration() const {
    return impl_->iteration;
}
void Trainer::set_iteration(int64_t iteration) {
    impl_->iteration = iteration;
}

int64_t Trainer::epochs() const {
    return impl_->epochs;
}
void Trainer::set_epochs(int64_t epochs) {
    impl_->epochs = epochs;
}
uint64_t Trainer::seed() const {
    return impl_->seed;
}
void Trainer::set_seed(uint64_t seed) {
    impl_->seed = seed;
}

std::vector<float*> Trainer::slots() const {
    std::vector<float*> pointers;
    for (AlignedBuffer& slot : impl_->slots) pointers.push_back(slot.floats());
    return pointers;
}
int64_t Trainer::parameter_arena_size() const {
    return impl_->model.parameters.arena_size();
}
int64_t Trainer::parameter_offset(const ParameterInfo& parameter) const {
    return parameter.value - impl_->model.parameters.values();
}

const Optimizer& Trainer::optimizer() const {
    return *impl_->optimizer;
}
const std::vector<LossPtr>& Trainer::loss_functions() const {
    return impl_->losses;
}
const std::vector<ParameterInfo>& Trainer::parameters() const {
    return impl_->model.parameters.infos();
}
std::vector<Shape> Trainer::output_shapes() const {
    std::vector<Shape> shapes;
    for (int node : impl_->model.graph.outputs) shapes.push_back(impl_->model.graph.nodes[node].shape);
    return shapes;
}
void Trainer::parameters_changed() {
    impl_->model.parameters.changed();
}

void Trainer::read(const std::function<void()>& use) const {
    const Reading reading(impl_->model.weights);
    use();
}

void Trainer::write(const std::function<void()>& change) {
    const Writing writing(impl_->model.weights);
    change();
    impl_->model.parameters.changed();
}

}  // namespace striate
