#include "striate/trainer.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "cpu/dispatch.hpp"
#include "graph/sharding.hpp"
#include "graph/trainer_state.hpp"
#include "running/recorder.hpp"
#include "striate/error.hpp"
#include "striate/losses/detection_loss.hpp"

namespace striate {

namespace {

bool integral(DType type) {
    return type != DType::float32;
}

// Plans that are kept whatever they take: of training and evaluation, for the usual batch and an epoch's last one.
constexpr size_t kKeptRequests = 4;

}  // namespace

Trainer::Trainer(Model& model, OptimizerPtr optimizer, std::vector<LossPtr> losses, std::vector<double> loss_weights,
                 uint64_t seed)
    : state_(std::make_unique<State>(model, std::move(optimizer), std::move(losses))) {
    dispatch::use_training_kernels();
    State& t = *state_;
    require(t.optimizer != nullptr, "a trainer needs an optimizer");
    t.frozen = t.model.frozen();
    t.optimizer->check(t.model.parameters.segments(t.frozen));
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
        std::fill_n(reinterpret_cast<float*>(t.slots.back().change()), size, t.optimizer->initial(i));
    }
    t.scalars = Mirrored(std::max<size_t>(1, t.optimizer->scalar_count()) * sizeof(float));
}

Trainer::~Trainer() = default;

Trainer::State::State(Model& m, OptimizerPtr o, std::vector<LossPtr> l)
    : model(m.state()), optimizer(std::move(o)), losses(std::move(l)) {}

Trainer::State::~State() = default;

void Trainer::State::check_target(Bound& made, size_t o) const {
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

void Trainer::State::check_weights(Bound& made) const {
    const size_t count = made.data.weights.size();
    require(count <= 1 || count == losses.size(), "expected sample weights for all of the ", losses.size(),
            " outputs or for each, got ", count, " arrays");
    made.weight_dimensions.resize(losses.size());
    for (size_t o = 0; o < losses.size(); ++o)
        if (losses[o] && made.weights_of(o).data) check_given_weights(made, o);
}

void Trainer::State::check_given_weights(Bound& made, size_t o) const {
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
    State& t = *state_;
    State::Bound made;
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
    State::Bound& bound = state_->bound;
    bound.data.inputs.clear();
    bound.data.targets.clear();
    bound.data.weights.clear();
    bound.parts.clear();
    bound.rows = 0;
}

// The caller may have changed labels, boxes or weights since bind() checked them: a callback or another thread writes
// to the same memory.
void Trainer::State::check_values(const int64_t* row_list, int64_t first, int64_t count) {
    try {
        if (!row_list) return check_values(first, count);
        for (int64_t i = 0; i < count; ++i) check_values(row_list[i], 1);
    } catch (const ValueError& error) {
        fail("targets or sample weights were changed after training on them had begun, and no longer fit: ",
             error.what(), "; give fit a copy");
    }
}

void Trainer::State::check_values(int64_t first, int64_t count) {
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

PlanRequest Trainer::State::request(int64_t batch, bool training, int64_t whole) {
    PlanRequest wanted = model.request(batch);
    wanted.training = wanted.backward = training;
    wanted.frozen = frozen;
    for (const Shape& beyond : bound.weight_dimensions) {
        Shape& shape = wanted.weight_shapes.emplace_back(Shape{batch});
        shape.insert(shape.end(), beyond.begin(), beyond.end());
    }
    wanted.losses = losses;
    wanted.labels = bound.labels;
    wanted.loss_scales = scales;
    wanted.whole = whole;
    if (whole > 0)
        for (float& scale : wanted.loss_scales)
            scale = static_cast<float>(static_cast<double>(scale) * static_cast<double>(batch) /
                                       static_cast<double>(whole));
    if (training) {
        wanted.optimizer = optimizer;
        for (Mirrored& slot : slots) wanted.slots.push_back(&slot);
        wanted.scalars = &scalars;
    }
    return wanted;
}

Plan& Trainer::State::plan(int64_t batch, bool training, int64_t whole) {
    const PlanOptions options = model.options;
    const auto found = std::find_if(plans.begin(), plans.end(), [&](const auto& p) {
        const PlanRequest& of = p->request();
        return of.batch == batch && of.whole == whole && of.training == training && of.options == options &&
               of.device == model.device;
    });
    if (found != plans.end()) {
        std::rotate(plans.begin(), found, found + 1);
    } else {
        const Device* const device = model.device;
        const auto elsewhere = [&](const auto& p) { return p->request().device != device; };
        const auto gone = std::remove_if(plans.begin(), plans.end(), elsewhere);
        if (gone != plans.end()) {
            plans.erase(gone, plans.end());
            workspace.on_device = DeviceMemory();
            workspace.user = 0;
        }
        plans.insert(plans.begin(), build_plan(model.graph, model.parameters, request(batch, training, whole)));
        drop_idle(plans, sharding ? 2 * kKeptRequests : kKeptRequests, workspace);
    }
    plans.front()->use(workspace);
    return *plans.front();
}

void Trainer::State::aim(Plan& p, const int64_t* row_list, int64_t first, int64_t count,
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
}

double Trainer::State::run(Plan& p, const int64_t* row_list, int64_t first, int64_t count,
                           const std::vector<float*>& predictions) {
    aim(p, row_list, first, count, predictions);
    const bool trains = p.request().training;
    p.run(Plan::gather, Plan::end, seed, trains ? static_cast<uint64_t>(iteration) : model.next_run());
    return account(p.penalty(), count, [&p](size_t o) { return p.loss_sums(o); });
}

double Trainer::State::account(double penalty, int64_t count, const std::function<const double*(size_t)>& sums_of) {
    double total = penalty;
    epoch_penalty += total * static_cast<double>(count);
    epoch_rows += static_cast<double>(count);
    for (size_t o = 0; o < losses.size(); ++o) {
        const double* sums = sums_of(o);
        if (!sums) continue;
        for (size_t i = 0; i < epoch_sums[o].size(); ++i) epoch_sums[o][i] += sums[i];
        last_losses[o] = loss_of(o, sums);
        total += static_cast<double>(scales[o]) * last_losses[o];
    }
    return total;
}

double Trainer::State::loss_of(size_t o, const double* sums) const {
    return losses[o] ? losses[o]->value(sums, model.graph.nodes[model.graph.outputs[o]].shape) : 0.0;
}

void check_rows(int64_t rows, const int64_t* list, int64_t first, int64_t count) {
    require(rows > 0, "bind() data to the trainer before stepping");
    require(count > 0, "a step needs at least one row, got ", count);
    require(list || (first >= 0 && count <= rows - first), "rows ", first, " to ", first + count,
            " are not within the ", rows, " rows of the data");
}

double Trainer::train_step(const int64_t* rows, int64_t first, int64_t count, const std::vector<float*>& predictions) {
    const Writing writing(state_->model.weights);
    if (state_->sharding) return state_->sharding->train(rows, first, count, 0, predictions);
    return state_->train_step(rows, first, count, predictions);
}

double Trainer::State::train_step(const int64_t* row_list, int64_t first, int64_t count,
                                  const std::vector<float*>& predictions) {
    check_rows(bound.rows, row_list, first, count);
    Plan& wanted = plan(count, true);
    optimizer->scalars(iteration, learning_rate(), reinterpret_cast<float*>(scalars.change()));
    const double loss = run(wanted, row_list, first, count, predictions);
    ++iteration;
    model.parameters.changed();
    return loss;
}

double Trainer::test_step(const int64_t* rows, int64_t first, int64_t count, const std::vector<float*>& predictions) {
    State& t = *state_;
    if (t.sharding) {
        const Reading reading(t.model.weights);
        return t.sharding->test(rows, first, count, 0, predictions);
    }
    check_rows(t.bound.rows, rows, first, count);
    const Reading reading(t.model.weights);
    return t.run(t.plan(count, false), rows, first, count, predictions);
}

namespace {

// Memory that holds what it held when this goes.
class Restored {
  public:
    void keep(Mirrored& memory) {
        const std::byte* const data = memory.read();
        kept_.push_back({&memory, {data, data + memory.size()}});
    }
    ~Restored() {
        for (const auto& [memory, bytes] : kept_) std::copy(bytes.begin(), bytes.end(), memory->change());
    }

  private:
    std::vector<std::pair<Mirrored*, std::vector<std::byte>>> kept_;
};

}  // namespace

Profile Trainer::profile(const std::vector<int64_t>& firsts, int64_t count, const BeforeRun& before_run) {
    State& t = *state_;
    require(t.bound.rows > 0, "bind() data to the trainer before profiling");
    check_profile(t.bound.rows, firsts, count);
    // All runs are one change. fork() waits for a run alone: a caller of `before_run` may wait for who forks.
    const std::unique_lock<WeightLocks> weights(t.model.weights);
    Plan& plan = t.plan(count, true);
    struct Rest {
        ~Rest() {
            trainer.iteration = iteration;
            trainer.last_losses.swap(losses);
            trainer.epoch_sums.swap(sums);
            trainer.epoch_penalty = penalty;
            trainer.epoch_rows = rows;
            trainer.model.parameters.changed();
        }
        State& trainer;
        int64_t iteration;
        std::vector<double> losses;
        std::vector<std::vector<double>> sums;
        double penalty, rows;
    } rest{t, t.iteration, t.last_losses, t.epoch_sums, t.epoch_penalty, t.epoch_rows};
    Restored restored;
    for (Mirrored* memory : t.model.parameters.memory()) restored.keep(*memory);
    for (Mirrored& slot : t.slots) restored.keep(slot);
    return record(plan, firsts, before_run, [&](int64_t first) {
        const forks::Gate gate;
        t.train_step(nullptr, first, count, {});
    });
}

const std::vector<double>& Trainer::losses() const {
    return state_->last_losses;
}

void Trainer::begin_epoch() {
    if (state_->sharding) state_->sharding->begin_pass();
    for (std::vector<double>& sums : state_->epoch_sums) std::fill(sums.begin(), sums.end(), 0.0);
    state_->epoch_penalty = state_->epoch_rows = 0.0;
}
std::vector<double> Trainer::epoch_losses() const {
    std::vector<double> losses;
    for (size_t o = 0; o < state_->losses.size(); ++o)
        losses.push_back(state_->loss_of(o, state_->epoch_sums[o].data()));
    return losses;
}
double Trainer::epoch_loss() const {
    double total = state_->epoch_rows > 0.0 ? state_->epoch_penalty / state_->epoch_rows : 0.0;
    for (size_t o = 0; o < state_->losses.size(); ++o)
        total += static_cast<double>(state_->scales[o]) * state_->loss_of(o, state_->epoch_sums[o].data());
    return total;
}

void Trainer::set_learning_rate(double rate) {
    state_->rate_override = rate;
}
double Trainer::learning_rate() const {
    return state_->learning_rate();
}
double Trainer::State::learning_rate() const {
    return rate_override >= 0.0 ? rate_override : optimizer->learning_rate(iteration);
}

std::optional<double> Trainer::learning_rate_override() const {
    return state_->rate_override >= 0.0 ? std::optional<double>(state_->rate_override) : std::nullopt;
}

size_t Trainer::arena_bytes(int64_t batch, bool training) const {
    require(batch > 0, "batch must be positive, got ", batch);
    return measure_plan(state_->model.graph, state_->model.parameters, state_->request(batch, training));
}

int64_t Trainer::iteration() const {
    return state_->iteration;
}
void Trainer::set_iteration(int64_t iteration) {
    state_->iteration = iteration;
}

int64_t Trainer::epochs() const {
    return state_->epochs;
}
void Trainer::set_epochs(int64_t epochs) {
    state_->epochs = epochs;
}
uint64_t Trainer::seed() const {
    return state_->seed;
}
void Trainer::set_seed(uint64_t seed) {
    state_->seed = seed;
}

size_t Trainer::slot_count() const {
    return state_->slots.size();
}
void Trainer::read_slot(size_t slot, float* out) const {
    Mirrored& memory = state_->slots.at(slot);
    if (memory.size() > 0) std::memcpy(out, memory.read(), memory.size());
}
void Trainer::write_slot(size_t slot, const float* values) {
    Mirrored& memory = state_->slots.at(slot);
    if (memory.size() > 0) std::memcpy(memory.change(), values, memory.size());
}
int64_t Trainer::parameter_arena_size() const {
    return state_->model.parameters.arena_size();
}
int64_t Trainer::parameter_offset(size_t index) const {
    require(parameters().at(index).trainable, "'", parameters()[index].name, "' has no optimizer state");
    return state_->model.parameters.arena_begin(static_cast<int>(index));
}

void Trainer::train_as(const Trainer& before) {
    const State& old = *before.state_;
    State& t = *state_;
    for (size_t i = 0; i < t.frozen.size(); ++i)
        for (size_t k = 0; k < old.frozen.size(); ++k)
            if (t.model.graph.layers[i].layer == old.model.graph.layers[k].layer) t.frozen[i] = old.frozen[k];
    t.plans.clear();
}

bool Trainer::trainable_changed() const {
    return state_->frozen != state_->model.frozen();
}

const Optimizer& Trainer::optimizer() const {
    return *state_->optimizer;
}
const std::vector<LossPtr>& Trainer::loss_functions() const {
    return state_->losses;
}
const std::vector<ParameterInfo>& Trainer::parameters() const {
    return state_->model.parameters.infos();
}
std::vector<Shape> Trainer::output_shapes() const {
    std::vector<Shape> shapes;
    for (int node : state_->model.graph.outputs) shapes.push_back(state_->model.graph.nodes[node].shape);
    return shapes;
}
void Trainer::read(const std::function<void()>& use) const {
    const Reading reading(state_->model.weights);
    use();
}

void Trainer::write(const std::function<void()>& change) {
    const Writing writing(state_->model.weights);
    change();
    state_->model.parameters.changed();
}

}  // namespace striate
