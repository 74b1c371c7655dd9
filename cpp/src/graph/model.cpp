#include "striate/model.hpp"

#include <algorithm>

#include "cpu/dispatch.hpp"
#include "graph/model_state.hpp"
#include "running/recorder.hpp"
#include "striate/error.hpp"

namespace striate {
namespace {

// Idle memory of calls that ran at the same time.
constexpr size_t kIdleWorkspaces = 8;
// Batch sizes whose plans are kept whatever they take: the usual one, and the last batch of an array.
constexpr size_t kKeptRequests = 2;

Tensor make_output(int64_t rows, const Shape& shape) {
    Shape whole{rows};
    whole.insert(whole.end(), shape.begin(), shape.end());
    return Tensor(std::move(whole));
}

int64_t check_batch(const Array& array, const Shape& expected, const std::string& name, const char* what) {
    const Shape& got = array.shape;
    const bool same =
        got.size() == expected.size() + 1 && std::equal(expected.begin(), expected.end(), got.begin() + 1);
    if (!same) {
        std::string remedy;
        if (!got.empty() && got[0] > 0 && element_count(Shape(got.begin() + 1, got.end())) == element_count(expected)) {
            Shape whole{got[0]};
            whole.insert(whole.end(), expected.begin(), expected.end());
            remedy = "; reshape it to " + to_string(whole);
        } else if (got == expected) {
            remedy = "; a single sample needs a batch dimension in front: x[None]";
        }
        fail("[", name, "] expects ", what, " of shape ", with_batch(expected), ", got ", to_string(got), remedy);
    }
    require(got[0] > 0, "[", name, "] got an empty batch: ", what, " of shape ", to_string(got));
    return got[0];
}

}  // namespace

int64_t check_inputs(const Graph& graph, const std::vector<Array>& inputs) {
    require(inputs.size() == graph.inputs.size(), "the model has ", graph.inputs.size(), " input(s), got ",
            inputs.size(), " array(s)");
    int64_t rows = 0;
    for (size_t i = 0; i < inputs.size(); ++i) {
        const int node = graph.inputs[i];
        const int64_t n = check_batch(inputs[i], graph.nodes[node].shape, graph.name(node), "input");
        require(i == 0 || n == rows, "[", graph.name(node), "] has ", n, " rows where the first input has ", rows);
        rows = n;
    }
    return rows;
}

void set_sources(std::vector<PlanData::Source>& sources, const std::vector<Array>& arrays) {
    for (size_t i = 0; i < arrays.size(); ++i) sources[i] = {arrays[i].data, arrays[i].type};
}

Model::State::State(Graph g, uint64_t s)
    : graph(std::move(g)),
      seed(s),
      random(std::any_of(graph.nodes.begin(), graph.nodes.end(),
                         [](const Graph::Node& node) { return node.mode == Mode::training; })),
      parameters(graph, s),
      weights(parameters.locks()) {}

uint64_t Model::State::next_run() {
    return random ? random_runs++ : 0;
}

PlanRequest Model::State::request(int64_t batch) const {
    PlanRequest made;
    made.device = device;
    made.batch = batch;
    made.options = options;
    made.outputs = graph.outputs;
    return made;
}

std::vector<char> Model::State::frozen() const {
    std::vector<char> layers;
    for (const Graph::LayerEntry& entry : graph.layers) layers.push_back(!entry.layer->trainable());
    return layers;
}

void Model::State::move_to(const Device& other) {
    const Writing writing(weights);
    if (device.exchange(&other) == &other) return;
    raw.reset();
    raw_workspace = Workspace();
    raw_forward_done = false;
    std::vector<std::unique_ptr<Plan>> plans;  // their memory is of use on the former device alone
    std::vector<std::unique_ptr<Workspace>> workspaces;
    {
        const std::lock_guard<std::mutex> lock(mutex);
        plans.swap(idle);
        workspaces.swap(idle_workspaces);
    }
    std::exception_ptr lost;
    for (Mirrored* memory : parameters.memory()) {
        try {
            memory->leave_device();
        } catch (const std::runtime_error&) {
            lost = std::current_exception();
        }
    }
    if (lost) std::rethrow_exception(lost);
}

Pieces Model::State::pieces_of(const PlanRequest& request) {
    if (request.batch == 1) return {1};
    const double near_bytes = request.device->rules().near_bytes;
    if (near_bytes <= 0) return {request.batch};
    {
        const std::lock_guard<std::mutex> lock(mutex);
        if (cutting && cutting->outputs == request.outputs && cutting->options == request.options)
            return striate::pieces_of(cutting->traffic, request.batch, near_bytes);
    }
    std::vector<double> weight_bytes(graph.layers.size(), 0.0);
    for (size_t layer = 0; layer < weight_bytes.size(); ++layer)
        for (int i = parameters.begin(static_cast<int>(layer)); i < parameters.begin(static_cast<int>(layer) + 1); ++i)
            weight_bytes[layer] +=
                static_cast<double>(element_count(parameters.infos()[static_cast<size_t>(i)].shape)) * sizeof(float);
    Cutting made{request.outputs, request.options, traffic_of(graph, parameters, request, weight_bytes)};
    const std::lock_guard<std::mutex> lock(mutex);
    cutting = std::move(made);
    return striate::pieces_of(cutting->traffic, request.batch, near_bytes);
}

Model::State::Lease Model::State::borrow(const PlanRequest& request) {
    Lease lease;
    {
        const std::lock_guard<std::mutex> lock(mutex);
        const auto plan =
            std::find_if(idle.begin(), idle.end(), [&](const auto& p) { return p->request().same_plan(request); });
        if (plan != idle.end()) {
            lease.plan = std::move(*plan);
            idle.erase(plan);
        }
        // The plan's last workspace can be used at once; otherwise, the largest needs to grow least.
        auto best = idle_workspaces.begin();
        for (auto it = best; it != idle_workspaces.end(); ++it) {
            if (lease.plan && (*it)->user == lease.plan->number()) {
                best = it;
                break;
            }
            if ((*it)->bytes() > (*best)->bytes()) best = it;
        }
        if (best != idle_workspaces.end()) {
            lease.workspace = std::move(*best);
            idle_workspaces.erase(best);
        }
    }
    if (!lease.workspace) lease.workspace = std::make_unique<Workspace>();
    if (!lease.plan) lease.plan = build_plan(graph, parameters, request);
    lease.plan->use(*lease.workspace);
    return lease;
}

void Model::State::give_back(Lease lease) {
    const std::lock_guard<std::mutex> lock(mutex);
    const Workspace& workspace = *lease.workspace;
    idle.insert(idle.begin(), std::move(lease.plan));
    idle_workspaces.insert(idle_workspaces.begin(), std::move(lease.workspace));
    drop_idle(idle, kKeptRequests, workspace);
    if (idle_workspaces.size() > kIdleWorkspaces) idle_workspaces.pop_back();
}

Model::Model(const std::vector<Symbol>& inputs, const std::vector<Symbol>& outputs, uint64_t seed)
    : state_(std::make_unique<State>(Graph::build(inputs, outputs), seed)) {}
Model::~Model() = default;
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;

Model Model::sequential(const std::vector<LayerPtr>& layers, uint64_t seed) {
    require(!layers.empty() && layers.front()->type() == "InputLayer", "a sequential model begins with an input");
    const Symbol first = striate::apply(layers.front(), {});
    Symbol last = first;
    for (size_t i = 1; i < layers.size(); ++i) last = striate::apply(layers[i], {last});
    return Model({first}, {last}, seed);
}

const Graph& Model::graph() const {
    return state_->graph;
}
uint64_t Model::seed() const {
    return state_->seed;
}

std::vector<Shape> Model::input_shapes() const {
    std::vector<Shape> shapes;
    for (int node : graph().inputs) shapes.push_back(graph().nodes[node].shape);
    return shapes;
}

std::vector<Shape> Model::output_shapes() const {
    std::vector<Shape> shapes;
    for (int node : graph().outputs) shapes.push_back(graph().nodes[node].shape);
    return shapes;
}

const std::vector<ParameterInfo>& Model::parameters() const {
    return state_->parameters.infos();
}
void Model::read_parameter(size_t index, float* out) const {
    const ParameterInfo& info = parameters().at(index);
    std::copy_n(state_->parameters.value(static_cast<int>(index)), element_count(info.shape), out);
}
void Model::write_parameter(size_t index, const float* values) {
    const ParameterInfo& info = parameters().at(index);
    std::copy_n(values, element_count(info.shape), state_->parameters.change(static_cast<int>(index)));
    state_->parameters.changed();
}
bool Model::read_gradient(size_t index, float* out) const {
    const ParameterInfo& info = parameters().at(index);
    const float* const gradient = state_->parameters.gradient(static_cast<int>(index));
    if (gradient) std::copy_n(gradient, element_count(info.shape), out);
    return gradient != nullptr;
}
uint64_t Model::weights_version() const {
    return state_->parameters.version();
}

void Model::read(const std::function<void()>& use) const {
    const Reading reading(state_->weights);
    use();
}

void Model::write(const std::function<void()>& change) {
    const Writing writing(state_->weights);
    struct Changed {
        ~Changed() { parameters.changed(); }
        Parameters& parameters;
    } const changed{state_->parameters};
    change();
}

std::vector<std::pair<uintptr_t, std::string>> Model::weight_stores() const {
    const Parameters& parameters = state_->parameters;
    std::vector<std::pair<uintptr_t, std::string>> stores;
    for (const auto& store : parameters.stores()) stores.emplace_back(reinterpret_cast<uintptr_t>(store.get()), "");
    for (size_t i = graph().layers.size(); i-- > 0;) {
        const int at = parameters.store_of(static_cast<int>(i));
        if (at >= 0) stores[static_cast<size_t>(at)].second = graph().layers[i].name;
    }
    return stores;
}

void Model::set_trainable(const std::string& layer, bool trainable) {
    graph().layers[static_cast<size_t>(graph().find_layer(layer))].layer->set_trainable(trainable);
}

bool Model::trainable(const std::string& layer) const {
    return graph().layers[static_cast<size_t>(graph().find_layer(layer))].layer->trainable();
}

PlanOptions Model::plan_options() const {
    return state_->options;
}
void Model::set_plan_options(PlanOptions options) {
    state_->options = options;
}
std::string Model::device() const {
    return state_->device.load()->name();
}
void Model::set_device(const std::string& name) {
    state_->move_to(device_named(name));
}

namespace {

void predict_rows(Model::State& state, const std::vector<Array>& inputs, int64_t batch_size,
                  const std::vector<int>& nodes, const std::vector<float*>& outputs, const BeforeRun& before_batch) {
    require(batch_size > 0, "batch_size must be positive, got ", batch_size);
    const int64_t rows = check_inputs(state.graph, inputs);
    std::vector<int64_t> sizes;
    for (int node : nodes) sizes.push_back(element_count(state.graph.nodes[node].shape));
    PlanRequest request = state.request(std::min(batch_size, rows));
    request.outputs = nodes;
    const Pieces pieces = state.pieces_of(request);
    const bool cut = pieces.cut >= 0;
    PlanRequest behind = request;  // of the layers that have the whole batch
    if (cut) request.outputs = behind.sources = {pieces.cut};
    const int64_t at_once = pieces.images;
    const int64_t given = cut ? element_count(state.graph.nodes[static_cast<size_t>(pieces.cut)].shape) : 0;
    // Of pieces of `at_once` images, of the last one of a batch, and of the layers behind the cut.
    Model::State::Lease whole, rest, last;
    const auto borrow = [&](Model::State::Lease& lease, PlanRequest& wanted, int64_t count) {
        if (lease.plan && lease.plan->request().batch == count) return false;
        if (lease.plan) state.give_back(std::move(lease));
        wanted.batch = count;
        lease = state.borrow(wanted);
        return true;
    };
    const auto plan_for = [&](Model::State::Lease& lease, int64_t count) {
        if (borrow(lease, request, count)) set_sources(lease.plan->data.inputs, inputs);
    };
    const auto plan_behind = [&](int64_t count) {
        if (!borrow(last, behind, count)) return;
        AlignedBuffer& memory = last.workspace->given;
        const size_t bytes = static_cast<size_t>(count * given) * sizeof(float);
        if (memory.size() < bytes) memory = AlignedBuffer(bytes);
        last.plan->data.inputs[0] = {memory.data(), DType::float32};
    };
    const auto run = [&](Plan& plan, int64_t first, int64_t in_batch, bool to_end) {
        plan.data.first = first;
        if (to_end)
            for (size_t o = 0; o < nodes.size(); ++o) plan.data.outputs[o] = outputs[o] + in_batch * sizes[o];
        else
            plan.data.outputs[0] = last.workspace->given.floats() + in_batch * given;
        plan.run(Plan::gather, Plan::end, state.seed, state.next_run());
    };
    for (int64_t first = 0; first < rows; first += batch_size) {
        const int64_t count = std::min(batch_size, rows - first), left = count % at_once;
        if (before_batch) before_batch();
        if (cut) plan_behind(count);
        if (count >= at_once) plan_for(whole, at_once);
        if (left > 0) plan_for(rest, left);
        const Reading reading(state.weights);
        const int64_t begin = cut ? 0 : first;
        for (int64_t i = 0; i + at_once <= count; i += at_once) run(*whole.plan, first + i, begin + i, !cut);
        if (left > 0) run(*rest.plan, first + count - left, begin + count - left, !cut);
        if (cut) run(*last.plan, 0, first, true);
    }
    for (Model::State::Lease* lease : {&whole, &rest, &last})
        if (lease->plan) state.give_back(std::move(*lease));
}

std::vector<Tensor> make_outputs(const Graph& graph, const std::vector<int>& nodes, int64_t rows,
                                 std::vector<float*>& pointers) {
    std::vector<Tensor> outputs;
    for (int node : nodes) outputs.push_back(make_output(rows, graph.nodes[node].shape));
    pointers.clear();
    for (Tensor& t : outputs) pointers.push_back(t.data());
    return outputs;
}

}  // namespace

void Model::predict_into(const std::vector<Array>& inputs, int64_t batch_size, const std::vector<float*>& outputs,
                         const BeforeRun& before_batch) const {
    predict_rows(*state_, inputs, batch_size, graph().outputs, outputs, before_batch);
}

std::vector<Tensor> Model::predict(const std::vector<Array>& inputs, int64_t batch_size) const {
    return predict_nodes(inputs, graph().outputs, batch_size);
}

std::vector<Tensor> Model::predict_nodes(const std::vector<Array>& inputs, const std::vector<int>& nodes,
                                         int64_t batch_size, const BeforeRun& before_batch) const {
    for (int node : nodes)
        require(node >= 0 && node < static_cast<int>(graph().nodes.size()), "there is no node ", node, " in the graph");
    std::vector<float*> pointers;
    std::vector<Tensor> outputs = make_outputs(graph(), nodes, check_inputs(graph(), inputs), pointers);
    predict_rows(*state_, inputs, batch_size, nodes, pointers, before_batch);
    return outputs;
}

std::vector<Tensor> Model::forward(const std::vector<Array>& inputs, bool training) {
    dispatch::use_training_kernels();
    State& state = *state_;
    PlanRequest request = state.request(check_inputs(state.graph, inputs));
    request.training = training;
    request.backward = request.input_gradient = true;
    request.frozen = state.frozen();
    const Writing writing(state.weights);
    state.raw_forward_done = false;
    if (!state.raw || !state.raw->request().same_plan(request)) {
        state.raw.reset();
        state.raw = build_plan(state.graph, state.parameters, request);
    }
    Plan& plan = *state.raw;
    plan.use(state.raw_workspace);
    std::vector<Tensor> outputs = make_outputs(state.graph, state.graph.outputs, request.batch, plan.data.outputs);
    set_sources(plan.data.inputs, inputs);
    plan.run(Plan::gather, Plan::backward, state.seed, state.raw_passes);
    ++state.raw_passes;
    if (training) state.parameters.changed();
    state.raw_forward_done = true;
    state.raw_thread = std::this_thread::get_id();
    state.raw_version = state.parameters.version();
    return outputs;
}

std::vector<Tensor> Model::backward(const std::vector<Array>& output_gradients) {
    State& state = *state_;
    const Writing writing(state.weights);
    require(state.raw_forward_done, "backward() needs a forward() before it; each forward() serves one backward()");
    require(state.raw_thread == std::this_thread::get_id(),
            "backward() must be called by the thread that called forward(), and another thread has called forward(); "
            "give each thread its own model");
    require(state.raw_version == state.parameters.version(),
            "backward() needs the weights that forward() used, and they have been changed; call forward() again");
    const Graph& graph = state.graph;
    require(output_gradients.size() == graph.outputs.size(), "the model has ", graph.outputs.size(), " output(s), got ",
            output_gradients.size(), " gradient(s)");
    Plan& plan = *state.raw;
    const int64_t rows = plan.request().batch;
    for (size_t o = 0; o < output_gradients.size(); ++o) {
        const int node = graph.outputs[o];
        const int64_t n =
            check_batch(output_gradients[o], graph.nodes[node].shape, graph.name(node), "output gradient");
        require(n == rows, "[", graph.name(node), "] expects an output gradient of ", rows,
                " rows as in forward(), got ", n);
    }
    std::vector<Tensor> gradients;
    for (const int input : graph.inputs) gradients.push_back(make_output(rows, graph.nodes[input].shape));
    set_sources(plan.data.output_gradients, output_gradients);
    plan.run(Plan::backward, Plan::update, state.seed, state.raw_passes - 1);
    state.raw_forward_done = false;
    for (size_t i = 0; i < graph.inputs.size(); ++i) plan.read_input_gradient(i, gradients[i].data());
    return gradients;
}

Model::NodeGradients Model::node_gradients(const std::vector<Array>& inputs, const std::vector<Array>& output_gradients,
                                           const std::vector<int>& nodes) {
    dispatch::use_training_kernels();
    State& state = *state_;
    PlanRequest request = state.request(check_inputs(state.graph, inputs));
    require(output_gradients.size() == state.graph.outputs.size(), "the model has ", state.graph.outputs.size(),
            " output(s), got ", output_gradients.size(), " gradient(s)");
    for (size_t o = 0; o < output_gradients.size(); ++o) {
        const int node = state.graph.outputs[o];
        const int64_t n =
            check_batch(output_gradients[o], state.graph.nodes[node].shape, state.graph.name(node), "output gradient");
        require(n == request.batch, "[", state.graph.name(node), "] expects an output gradient of ", request.batch,
                " rows, got ", n);
    }
    for (int node : nodes)
        require(node >= 0 && node < static_cast<int>(state.graph.nodes.size()), "there is no node ", node,
                " in the graph");
    request.backward = true;
    request.watched = nodes;
    request.weight_gradients = false;  // their memory is what other threads train with
    const std::unique_ptr<Plan> plan = build_plan(state.graph, state.parameters, request);
    Workspace workspace;
    plan->use(workspace);
    set_sources(plan->data.inputs, inputs);
    set_sources(plan->data.output_gradients, output_gradients);
    {
        const Reading reading(state.weights);
        plan->run(Plan::gather, Plan::end, state.seed, state.next_run());
    }
    NodeGradients result;
    for (size_t i = 0; i < nodes.size(); ++i) {
        const Shape& shape = state.graph.nodes[nodes[i]].shape;
        result.values.push_back(make_output(request.batch, shape));
        result.gradients.push_back(make_output(request.batch, shape));
        plan->read_watched(i, result.values.back().data(), result.gradients.back().data());
    }
    return result;
}

Profile Model::profile(const std::vector<Array>& inputs, const std::vector<int64_t>& firsts, int64_t count,
                       const BeforeRun& before_run) const {
    const int64_t rows = check_inputs(graph(), inputs);
    check_profile(rows, firsts, count);
    const PlanRequest request = state_->request(count);
    // A plan of its own: nobody else may meet it while it has a recorder.
    const std::unique_ptr<Plan> plan = build_plan(graph(), state_->parameters, request);
    Workspace workspace;
    plan->use(workspace);
    const std::vector<Tensor> outputs = make_outputs(graph(), graph().outputs, count, plan->data.outputs);
    set_sources(plan->data.inputs, inputs);
    return record(*plan, firsts, before_run, [&](int64_t first) {
        plan->data.first = first;
        const Reading reading(state_->weights);
        plan->run(Plan::gather, Plan::end, state_->seed, state_->next_run());
    });
}

size_t Model::arena_bytes(int64_t batch, bool training) const {
    require(batch > 0, "batch must be positive, got ", batch);
    if (training) dispatch::use_training_kernels();
    PlanRequest request = state_->request(batch);
    request.training = request.backward = training;
    request.frozen = state_->frozen();
    return measure_plan(state_->graph, state_->parameters, request);
}

}  // namespace striate
