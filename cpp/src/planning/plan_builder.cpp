// Building the forward pass and the tensors; the backward pass is in autodiff.cpp, copies and gathers in moves.cpp.
#include "planning/plan_builder.hpp"

#include <algorithm>
#include <cstring>
#include <set>

#include "optimizers/penalties.hpp"
#include "striate/error.hpp"

namespace striate {
namespace {

constexpr const char* kPasses[Plan::section_count] = {"input", "forward", "loss", "backward", "update", ""};

Halo larger(const Halo& a, const Halo& b) {
    return {std::max(a.top, b.top), std::max(a.bottom, b.bottom), std::max(a.left, b.left), std::max(a.right, b.right)};
}

int64_t channels_of(const Shape& shape) {
    return shape.size() >= 2 ? shape.back() : 1;
}

View view_of(const Shape& shape, const Halo& halo, int64_t pixel) {
    View v{shape[0], 1, 1, 1, 0, 0, 0};
    const size_t rank = shape.size();
    if (rank >= 2) v.c = shape[rank - 1];
    if (rank >= 3) v.w = shape[rank - 2];
    for (size_t i = 1; i + 2 < rank; ++i) v.h *= shape[i];
    v.pixel = pixel;
    v.row = (v.w + halo.left + halo.right) * v.pixel;
    v.image = (v.h + halo.top + halo.bottom) * v.row;
    return v;
}

}  // namespace

std::unique_ptr<Plan> build_plan(const Graph& graph, Parameters& parameters, const PlanRequest& request) {
    return PlanBuilder(graph, parameters, request).build();
}

size_t measure_plan(const Graph& graph, Parameters& parameters, const PlanRequest& request) {
    return PlanBuilder(graph, parameters, request).measure();
}

PlanBuilder::PlanBuilder(const Graph& graph, Parameters& parameters, const PlanRequest& request)
    : graph_(graph), parameters_(parameters), request_(request), network_(make_network(graph, request)) {
    parameter_tensors_.resize(parameters.infos().size());
    gradient_tensors_.resize(parameters.infos().size());
    gradient_written_.resize(parameters.infos().size(), 0);
    makers_.resize(network_.values.size(), -1);
    for (size_t i = 0; i < network_.nodes.size(); ++i) makers_[network_.nodes[i].output] = static_cast<int>(i);
    joint_.resize(network_.nodes.size(), 0);
}

std::unique_ptr<Plan> PlanBuilder::build() {
    if (request_.backward && request_.weight_gradients) parameters_.gradients();
    emit_all();
    merge_into_bands();
    finish(*plan_);
    return std::move(plan_);
}

size_t PlanBuilder::measure() {
    measuring_ = true;
    emit_all();
    merge_into_bands();
    const ArenaSizes sizes = lay_out_arenas();
    return sizes.own + sizes.shared;
}

void PlanBuilder::emit_all() {
    plan_ = std::make_unique<Plan>();
    plan_->request_ = request_;
    plan_->parameters_ = &parameters_;
    plan_->data.inputs.resize(sources().size());
    plan_->data.targets.resize(request_.losses.size());
    plan_->data.weights.resize(request_.losses.size());
    plan_->data.output_gradients.resize(request_.outputs.size());
    plan_->data.outputs.resize(request_.outputs.size(), nullptr);

    choose_gradients();
    choose_halos();
    begin(Plan::gather);
    emit_inputs();
    begin(Plan::forward);
    emit_forward();
    emit_outputs();
    begin(Plan::loss);
    emit_losses();
    if (!request_.losses.empty() && !request_.optimizer)
        keep_penalties(emit_penalties(*this, parameters_.segments(request_.frozen), value_arenas()));
    begin(Plan::backward);
    if (request_.backward) {
        if (request_.losses.empty()) emit_output_seeds();
        emit_backward();
    }
    begin(Plan::update);
    if (request_.optimizer) emit_update();
    begin(Plan::end);
}

void PlanBuilder::choose_gradients() {
    if (!request_.backward) return;
    for (int node : request_.watched) value(network_.node_values[node]).needs_gradient = true;
    if (request_.input_gradient)
        for (int node : sources())
            if (network_.node_values[node] >= 0) value(network_.node_values[node]).needs_gradient = true;
    for (const PlanNode& n : network_.nodes) {
        bool needed = value(n.output).needs_gradient;
        for (int from : n.inputs) needed |= value(from).needs_gradient;
        for (int i = parameters_.begin(n.graph_layer); i < parameters_.begin(n.graph_layer + 1); ++i) {
            const ParameterInfo& p = parameters_.infos()[static_cast<size_t>(i)];
            needed |= request_.weight_gradients && p.trainable && !frozen(n.graph_layer);
        }
        value(n.output).needs_gradient = needed;
    }
}

void PlanBuilder::choose_halos() {
    auto shapes_of = [&](const PlanNode& n) {
        std::vector<Shape> shapes;
        for (int from : n.inputs) shapes.push_back(value(from).shape);
        return shapes;
    };
    for (const PlanNode& n : network_.nodes) {
        const Halo wanted = n.layer->input_halo(shapes_of(n));
        bool gradient = false;
        for (size_t i = 0; i < n.inputs.size(); ++i) {
            PlanValue& from = value(n.inputs[i]);
            if (static_cast<int>(i) != n.addend) from.halo = larger(from.halo, wanted);
            gradient |= from.needs_gradient;
        }
        if (gradient)
            value(n.output).gradient_halo = larger(value(n.output).gradient_halo, n.layer->gradient_halo(shapes_of(n)));
    }
    // Both sides of an element-wise layer get one geometry, so that it can work in place.
    for (size_t i = network_.nodes.size(); i-- > 0;) {
        const PlanNode& n = network_.nodes[i];
        if (n.layer->elementwise() && n.inputs.size() == 1)
            value(n.inputs[0]).halo = larger(value(n.inputs[0]).halo, value(n.output).halo);
        if (n.addend >= 0)
            value(n.inputs[n.addend]).halo = larger(value(n.inputs[n.addend]).halo, value(n.output).halo);
    }
    for (const PlanNode& n : network_.nodes)
        if (n.addend >= 0) value(n.output).halo = larger(value(n.output).halo, value(n.inputs[n.addend]).halo);
    // What is passed on as it is, or a part of it, must have the halo that its receiver wants.
    for (const PlanNode& n : network_.nodes) {
        PlanValue& out = value(n.output);
        for (int from : n.inputs) {
            const PlanValue& in = value(from);
            const bool part = in.part_of == n.output;
            if (part) out.halo = larger(out.halo, in.halo);
            if (part || n.passes_gradient || (n.layer->elementwise() && n.inputs.size() == 1))
                out.gradient_halo = larger(out.gradient_halo, in.gradient_halo);
        }
    }
}

void PlanBuilder::emit_forward() {
    for (size_t o = 0; o < request_.losses.size(); ++o) {
        if (!request_.losses[o]) continue;
        const Loss& loss = *request_.losses[o];
        const int predicted = network_.node_values[request_.outputs[o]];
        const int maker = makers_[predicted];
        if (value(predicted).readers == 0 && !loss.from_logits() &&
            loss.joins(network_.nodes[maker].layer->joint_activation(), value(predicted).shape))
            joint_[maker] = 1;
    }
    for (size_t i = 0; i < network_.nodes.size(); ++i) {
        const PlanNode& n = network_.nodes[i];
        if (n.inputs.empty()) continue;
        current_ = static_cast<int>(i);
        for_output_ = joint_[i];
        if (n.addend >= 0) emit_addend(value(n.inputs[n.addend]).tensor);
        n.layer->emit(*this);
        require(value(n.output).tensor.valid(), "[", name(), "] a layer's emit() must name its output");
    }
    for_output_ = false;
    current_ = -1;
}

void PlanBuilder::emit_losses() {
    plan_->loss_sums_.resize(request_.losses.size());
    for (size_t o = 0; o < request_.losses.size(); ++o) {
        if (!request_.losses[o]) continue;
        const Loss& loss = *request_.losses[o];
        int predicted = network_.node_values[request_.outputs[o]];
        bool logits = loss.from_logits();
        if (const int maker = makers_[predicted]; joint_[maker]) {
            predicted = network_.nodes[maker].inputs[0];
            logits = true;
        }
        const TensorId prediction = contiguous_copy(value(predicted).tensor);
        const Shape& output_shape = value(predicted).shape;
        const bool labels = request_.labels[o] != 0;
        Shape target_shape = loss.target_shape(output_shape, graph_.name(request_.outputs[o]));
        if (labels && loss.target_type() != DType::int64) target_shape.pop_back();
        const TensorId target = create(batched(target_shape), {}, labels ? DType::int64 : loss.target_type());
        emit_gather("gather targets", &PlanData::targets, o, target);
        const TensorId weights = create(request_.weight_shapes[o], {}, DType::float32);
        emit_gather("gather weights", &PlanData::weights, o, weights);
        TensorId gradient;
        if (request_.backward && value(predicted).needs_gradient) {
            gradient = create(batched(output_shape), {}, DType::float32);
            value(predicted).gradients.push_back({gradient, true});
        }
        const TensorId sums = create({loss.sum_count(output_shape)}, {}, DType::float64);
        storages_[tensors_[sums.index].storage].forever = true;
        plan_->loss_sums_[o] = sums;
        loss.emit({*this, prediction, logits, target, labels, weights, gradient, sums, 0, request_.loss_scales[o],
                   whole_batch(loss, o)});
    }
}

const WholeBatch* PlanBuilder::whole_batch(const Loss& loss, size_t output) {
    if (request_.whole == 0) return nullptr;
    plan_->whole_.resize(request_.losses.size());
    WholeBatch& whole = plan_->whole_[output];
    whole.rows_per_row = static_cast<double>(request_.whole) / static_cast<double>(request_.batch);
    for (const int64_t label : loss.ignored_classes())
        if (!whole.counted_without(label)) whole.counted.emplace_back(label, 0.0);
    return &whole;
}

void PlanBuilder::emit_update() {
    const int64_t size = parameters_.arena_size();
    if (size == 0) return;
    std::vector<TensorId> slots;
    for (Mirrored* slot : request_.slots) slots.push_back(arena(slot, size));
    const TensorId scalars = arena(request_.scalars, static_cast<int64_t>(request_.optimizer->scalar_count()));
    const std::vector<Segment> segments = parameters_.segments(request_.frozen);
    TensorId penalties;
    request_.optimizer->emit({*this, value_arenas(), arena(measuring_ ? nullptr : &parameters_.gradients(), size),
                              slots, scalars, size, segments, penalties});
    const auto penalised = [](const Segment& segment) { return segment.trainable && segment.penalty.any(); };
    const auto found = std::find_if(segments.begin(), segments.end(), penalised);
    require(penalties.valid() || found == segments.end(), "[", request_.optimizer->type(),
            "] does not add the penalties of regularizers, and ", found == segments.end() ? "" : found->name,
            " has one");
    keep_penalties(penalties);
}

std::vector<TensorId> PlanBuilder::value_arenas() {
    std::vector<TensorId> values;
    for (Mirrored* memory : parameters_.values())
        values.push_back(arena(memory, static_cast<int64_t>(memory->size() / sizeof(float))));
    return values;
}

void PlanBuilder::keep_penalties(TensorId penalties) {
    plan_->penalties_ = penalties;
    if (penalties.valid()) storages_[tensors_[penalties.index].storage].forever = true;
}

// The tensors.

Shape PlanBuilder::batched(const Shape& shape) const {
    Shape whole{request_.batch};
    whole.insert(whole.end(), shape.begin(), shape.end());
    return whole;
}

TensorId PlanBuilder::create(Shape shape, Halo halo, DType type) {
    require(halo.empty() || shape.size() == 4, "only maps (N, H, W, C) can have a halo, not ", to_string(shape));
    element_count(shape);
    Storage storage;
    size_t offset = 0;
    if (halo.empty()) {
        storage.bytes = element_count(shape) * byte_size(type);
    } else {
        const View v = view_of(shape, halo, channels_of(shape));
        storage.bytes =
            element_count({v.n, v.h + halo.top + halo.bottom, v.w + halo.left + halo.right, v.c}) * byte_size(type);
        storage.map = shape;
        storage.halo = halo;
        offset = (halo.top * v.row + halo.left * v.pixel) * byte_size(type);
    }
    storages_.push_back(storage);
    const int64_t pixel = channels_of(shape);
    tensors_.push_back({std::move(shape), halo, type, static_cast<int>(storages_.size()) - 1, offset, pixel});
    return {static_cast<int32_t>(tensors_.size()) - 1};
}

TensorId PlanBuilder::alias(TensorId source, Shape shape) {
    TensorInfo info = tensors_.at(source.index);
    if (info.shape != shape) {
        require(contiguous(source), "[", name(), "] a map with a halo cannot be seen in another shape");
        info.pixel = channels_of(shape);
        info.shape = std::move(shape);
    }
    tensors_.push_back(std::move(info));
    return {static_cast<int32_t>(tensors_.size()) - 1};
}

TensorId PlanBuilder::outside(Mirrored* memory, size_t begin, Shape shape, DType type, bool constant) {
    const TensorId id = create(std::move(shape), {}, type);
    static Mirrored nowhere;  // used when the plan is only measured and has no memory
    storages_.back().outside = memory ? memory : &nowhere;
    storages_.back().outside_begin = begin;
    std::vector<Mirrored*>& all = plan_->outside_;
    if (memory && !constant && std::find(all.begin(), all.end(), memory) == all.end()) all.push_back(memory);
    return id;
}

View PlanBuilder::view(TensorId id) const {
    const TensorInfo& info = tensors_.at(id.index);
    return view_of(info.shape, info.halo, info.pixel);
}

TensorId PlanBuilder::channels(TensorId whole, int64_t first, int64_t count) {
    TensorInfo info = tensors_.at(whole.index);
    require(info.shape.size() >= 2 && first >= 0 && count >= 1 && count <= info.shape.back() - first, "[", name(),
            "] there are no channels ", first, " to ", first + count, " in ", to_string(info.shape));
    info.shape.back() = count;
    info.offset += static_cast<size_t>(first) * byte_size(info.type);
    tensors_.push_back(std::move(info));
    return {static_cast<int32_t>(tensors_.size()) - 1};
}

bool PlanBuilder::same_memory(TensorId a, TensorId b) const {
    const TensorInfo &x = tensors_.at(a.index), &y = tensors_.at(b.index);
    return x.storage == y.storage && x.offset == y.offset && x.shape == y.shape && x.halo == y.halo &&
           x.pixel == y.pixel;
}

TensorId PlanBuilder::input(size_t index) const {
    return network_.values[node().inputs.at(index)].tensor;
}

TensorId PlanBuilder::output() {
    return tensor_of(node().output);
}

TensorId PlanBuilder::tensor_of(int index) {
    PlanValue& v = value(index);
    if (!v.tensor.valid())
        v.tensor = v.part_of < 0 ? create(batched(v.shape), v.halo, DType::float32)
                                 : channels(tensor_of(v.part_of), v.part_first, v.shape.back());
    return v.tensor;
}

void PlanBuilder::output_is(TensorId source) {
    PlanValue& v = value(node().output);
    if (v.part_of < 0 && halo(source).covers(v.halo) && (contiguous(source) || shape(source) == batched(v.shape))) {
        v.tensor = alias(source, batched(v.shape));
        return;
    }
    emit_copy("copy", alias(contiguous_copy(source), batched(v.shape)), output());
}

int PlanBuilder::parameter_index(int layer, const std::string& parameter) const {
    const int index = parameters_.find(layer, parameter);
    require(index >= 0, "[", graph_.layers[layer].name, "] has no parameter '", parameter, "'");
    return index;
}

TensorId PlanBuilder::parameter(const std::string& parameter) {
    if (node().norm)
        if (const TensorId id = folded(parameter); id.valid()) return id;
    return parameter_of(node().graph_layer, parameter);
}

TensorId PlanBuilder::parameter_of(int layer, const std::string& parameter) {
    const int index = parameter_index(layer, parameter);
    TensorId& id = parameter_tensors_[index];
    if (!id.valid()) {
        const Parameters::Place place = parameters_.place(index);
        id = outside(place.memory, place.begin, parameters_.infos()[index].shape);
    }
    return id;
}

const std::string& PlanBuilder::name() const {
    static const std::string none = "plan";  // while losses and the optimizer add their steps
    return current_ >= 0 ? graph_.layers[node().graph_layer].name : none;
}

Extent PlanBuilder::extent(TensorId id) const {
    const TensorInfo& info = tensors_.at(id.index);
    const auto element = static_cast<int64_t>(byte_size(info.type));
    const auto bytes = static_cast<int64_t>(storages_[info.storage].bytes), offset = static_cast<int64_t>(info.offset);
    return {-offset / element, (bytes - offset) / element};
}

TensorId PlanBuilder::constant(const void* data, Shape shape, DType type) {
    const size_t bytes = static_cast<size_t>(element_count(shape)) * byte_size(type);
    if (measuring_) return outside(nullptr, 0, std::move(shape), type);
    Mirrored& memory = plan_->constants_.emplace_back(bytes);
    if (bytes > 0) std::memcpy(memory.change(), data, bytes);
    return outside(&memory, 0, std::move(shape), type, true);
}

uint64_t PlanBuilder::random_stream() const {
    return static_cast<uint64_t>(node().graph_node) + 1;
}

// The steps.

void PlanBuilder::touch(const Step& step, int at) {
    for (TensorId id : step.reads) storages_[tensors_.at(id.index).storage].use(at);
    for (TensorId id : step.writes) storages_[tensors_.at(id.index).storage].use(at);
}

void PlanBuilder::step(Step step) {
    const int at = static_cast<int>(steps_.size());
    touch(step, at);
    const auto whole = [&](TensorId id) { return tensors_[id.index].pixel == channels_of(tensors_[id.index].shape); };
    if (step.inplace_from.valid() && whole(step.inplace_from) && whole(step.inplace_to))
        inplace_.push_back({at, tensors_[step.inplace_from.index].storage, tensors_[step.inplace_to.index].storage});
    ScheduledStep& added = steps_.emplace_back();
    static_cast<Step&>(added) = std::move(step);
    added.for_output = for_output_;
    if (current_ >= 0) added.layer = name();
    added.pass = kPasses[section_];
}

void PlanBuilder::prepare(Step step) {
    if (!weights_stay()) return this->step(std::move(step));
    for (TensorId id : step.writes) storages_[tensors_.at(id.index).storage].forever = true;
    touch(step, 0);
    static_cast<Step&>(prepare_.emplace_back()) = std::move(step);
}

ArenaSizes PlanBuilder::lay_out_arenas() {
    for (const Inplace& wish : inplace_) {
        int root = wish.from;
        while (storages_[root].taken_from >= 0) root = storages_[root].taken_from;
        Storage &from = storages_[root], &to = storages_[wish.to];
        const bool fits = from.halo.empty() ? to.halo.empty() && to.bytes <= from.bytes : from.same_geometry(to);
        if (root == wish.to || !fits || from.outside || to.outside || from.forever || to.forever ||
            to.taken_from >= 0 || from.last != wish.step || to.first != wish.step)
            continue;
        to.taken_from = root;
        from.last = std::max(from.last, to.last);
    }
    return lay_out(storages_);
}

void PlanBuilder::note_halos(Plan& plan) const {
    std::set<size_t> noted;  // maps of one geometry share a place
    for (const Storage& s : storages_) {
        if (s.halo.empty() || s.outside || s.forever || s.first < 0 || !noted.insert(s.offset).second) continue;
        const View v = view_of(s.map, s.halo, channels_of(s.map));
        const auto elements = static_cast<size_t>(v.n * v.image);
        if (elements > 0) plan.haloed_.push_back({s.offset, s.bytes / elements, s.map, s.halo});
    }
}

std::unique_ptr<DeviceRun> PlanBuilder::device_run(const Accelerator& device, Plan& plan) const {
    const auto root = [&](int storage) {
        while (storages_[storage].taken_from >= 0) storage = storages_[storage].taken_from;
        return storage;
    };
    std::vector<DeviceRun::Region> regions;
    for (const Storage& s : storages_) regions.push_back({s.outside, s.forever, s.offset, s.bytes});
    std::vector<DeviceRun::Place> places;
    for (const TensorInfo& info : tensors_) {
        const int storage = root(info.storage);
        places.push_back({static_cast<size_t>(storage), storages_[storage].outside_begin + info.offset});
    }
    return std::make_unique<DeviceRun>(device, std::move(regions), std::move(places), plan.own_);
}

void PlanBuilder::finish(Plan& plan) {
    const ArenaSizes sizes = lay_out_arenas();
    plan.own_ = AlignedBuffer(sizes.own);
    plan.shared_bytes_ = sizes.shared;
    for (const TensorInfo& info : tensors_) {
        const Storage& storage = storages_[info.storage];
        std::byte* fixed = storage.outside   ? storage.outside->host() + storage.outside_begin + info.offset
                           : storage.forever ? plan.own_.data() + storage.offset + info.offset
                                             : nullptr;
        plan.places_.push_back({fixed, storage.offset + info.offset});
        plan.views_.push_back(view_of(info.shape, info.halo, info.pixel));
    }
    plan.tensors_.resize(plan.places_.size());
    if (const Accelerator* accelerator = request_.device->accelerator())
        plan.device_run_ = device_run(*accelerator, plan);
    note_halos(plan);
    schedule(prepare_);
    schedule(steps_);
    for (const std::vector<ScheduledStep>* list : {&prepare_, &steps_})
        for (const ScheduledStep& s : *list) plan.scratch_ = std::max(plan.scratch_, s.scratch);
    plan.prepare_ = std::move(prepare_);
    plan.steps_ = std::move(steps_);
    plan.resolve();
    std::copy(std::begin(sections_), std::end(sections_), plan.sections_);
}

}  // namespace striate
