#include "striate/graph.hpp"

#include <algorithm>
#include <atomic>
#include <unordered_map>
#include <unordered_set>

#include "striate/layers/input_layer.hpp"
#include "suggest.hpp"

namespace striate {
namespace {

// Of one sample. Together with the bounds on arguments (config.cpp) it keeps the layers' arithmetic on shapes within 64
// bits.
constexpr int64_t kMaxElements = int64_t{1} << 48;
// Of one sample; with the batch, what every NumPy can hold. It keeps time in proportion to the number of inputs.
constexpr size_t kMaxAxes = 31;

using LayerIndex = std::unordered_map<const Layer*, int>;

// Frees a chain of symbols one after the other: of a network with many thousand layers, each symbol freeing the one
// before it would overflow the stack. It allocates nothing: symbols that wait are linked through `order`, which nothing
// reads any more.
void release(SymbolNode* node) noexcept {
    thread_local SymbolNode* waiting = nullptr;
    thread_local bool freeing = false;  // further up the stack
    static_assert(sizeof(uintptr_t) <= sizeof(node->order));
    node->order = reinterpret_cast<uintptr_t>(waiting);
    waiting = node;
    if (freeing) return;
    freeing = true;
    while (waiting) {
        SymbolNode* const last = waiting;
        waiting = reinterpret_cast<SymbolNode*>(static_cast<uintptr_t>(last->order));
        delete last;
    }
    freeing = false;
}

Symbol make_symbol(LayerPtr layer, std::vector<Symbol> inputs, Shape shape, Mode mode) {
    static std::atomic<uint64_t> created{0};
    return {new SymbolNode{std::move(layer), std::move(inputs), std::move(shape), created++, mode}, release};
}

bool is_input(const Layer& layer) {
    return dynamic_cast<const InputLayer*>(&layer) != nullptr;
}

// All that these symbols are computed from, and they themselves, in the order of their creation.
std::vector<const SymbolNode*> ancestors(const std::vector<Symbol>& symbols) {
    std::vector<const SymbolNode*> found, open;
    std::unordered_set<const SymbolNode*> seen;
    const auto visit = [&](const Symbol& symbol) {
        if (seen.insert(symbol.get()).second) open.push_back(symbol.get());
    };
    for (const Symbol& symbol : symbols) visit(symbol);
    while (!open.empty()) {
        const SymbolNode* node = open.back();
        open.pop_back();
        found.push_back(node);
        for (const Symbol& symbol : node->inputs) visit(symbol);
    }
    std::sort(found.begin(), found.end(), [](const auto* a, const auto* b) { return a->order < b->order; });
    return found;
}

// Each layer once, in the order of its first call.
std::vector<LayerPtr> unique_layers(const std::vector<const SymbolNode*>& nodes, LayerIndex& index) {
    std::vector<LayerPtr> layers;
    for (const SymbolNode* node : nodes)
        if (index.emplace(node->layer.get(), static_cast<int>(layers.size())).second) layers.push_back(node->layer);
    return layers;
}

// The users' names, and for the others "conv2d", "conv2d_1", ... by type, passing over names that are taken.
std::vector<std::string> assign_names(const std::vector<LayerPtr>& layers) {
    std::unordered_set<std::string> taken;
    for (const LayerPtr& layer : layers) taken.insert(layer->name());
    std::unordered_map<std::string, int64_t> counts;
    std::vector<std::string> names;
    for (const LayerPtr& layer : layers) {
        std::string name = layer->name();
        if (name.empty()) {
            const std::string base = snake_case(layer->type());
            int64_t& count = counts[base];
            do {
                name = count == 0 ? base : base + "_" + std::to_string(count);
                ++count;
            } while (!taken.insert(name).second);
        }
        names.push_back(std::move(name));
    }
    return names;
}

// The name that `layer` would have in a model that ends with its call on `inputs`.
std::string name_after(const LayerPtr& layer, const std::vector<Symbol>& inputs) {
    LayerIndex index;
    std::vector<LayerPtr> layers = unique_layers(ancestors(inputs), index);
    const auto [place, is_new] = index.emplace(layer.get(), static_cast<int>(layers.size()));
    if (is_new) layers.push_back(layer);
    return assign_names(layers)[place->second];
}

std::vector<Shape> shapes_of(const std::vector<Symbol>& symbols) {
    std::vector<Shape> shapes;
    for (const Symbol& symbol : symbols) shapes.push_back(symbol->shape);
    return shapes;
}

std::string listed(const std::vector<Shape>& shapes) {
    std::string text;
    for (const Shape& shape : shapes) text += (text.empty() ? "" : ", ") + with_batch(shape);
    return text;
}

Shape infer_checked(const Layer& layer, const std::vector<Shape>& inputs) {
    Shape shape = layer.infer(inputs);
    require(shape.size() <= kMaxAxes, "[", layer.label(), "] would make an output of ", shape.size(),
            " axes and the batch; there may be at most ", kMaxAxes);
    for (int64_t size : shape)
        require(size >= 1, "[", layer.label(), "] would make an output of shape ", with_batch(shape), " from ",
                listed(inputs), ", which is empty");
    require(!shape.empty(), "[", layer.label(), "] would make an output without dimensions from ", listed(inputs));
    require(element_count(shape) <= kMaxElements, "[", layer.label(), "] would make an output of shape ",
            with_batch(shape), ", which is too large for any memory");
    return shape;
}

// Layers know themselves as label(), which is not yet a name when the user gave none.
std::string with_name(std::string message, const std::string& label, const std::string& name) {
    const std::string prefix = "[" + label + "]";
    if (message.rfind(prefix, 0) == 0) message.replace(0, prefix.size(), "[" + name + "]");
    return message;
}

// A layer that is called more than once has one set of weights, which must fit every call.
void check_shared_weights(const Graph& graph, const Graph::LayerEntry& entry, int node) {
    const std::vector<Shape> first = graph.input_shapes(entry.first_node), later = graph.input_shapes(node);
    if (first == later) return;
    const std::vector<Parameter> a = entry.layer->parameters(first), b = entry.layer->parameters(later);
    const bool same = std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Parameter& x, const Parameter& y) {
        return x.name == y.name && x.shape == y.shape;
    });
    require(same, "[", entry.name, "] is shared by calls on inputs ", listed(first), " and ", listed(later),
            ", which need weights of different shapes; use a layer for each");
}

// Whether predictions may do what training does.
void check_may_train(const Layer& layer, const std::vector<Shape>& inputs) {
    const std::vector<Parameter> parameters = layer.parameters(inputs);
    require(std::all_of(parameters.begin(), parameters.end(), [](const Parameter& p) { return p.trainable; }), "[",
            layer.label(),
            "] training=True cannot be fixed for a call: predict would change the moving averages; "
            "leave it out, or call the model on arrays: model(x, training=True)");
}

void check_names(const std::vector<LayerPtr>& layers) {
    std::unordered_set<std::string> names;
    for (const LayerPtr& layer : layers) {
        const std::string& name = layer->name();
        if (name.empty()) continue;
        require(name.find('/') == std::string::npos, "the layer name ", quoted(name),
                " contains '/', which separates layers from their weights; choose another");
        require(names.insert(name).second, "two layers are named ", quoted(name), "; give each layer a different name");
    }
}

}  // namespace

Symbol input(Shape shape, std::string name) {
    return striate::apply(std::make_shared<InputLayer>(InputLayer::Options{std::move(shape)}, std::move(name)), {});
}

Symbol apply(const LayerPtr& layer, const std::vector<Symbol>& inputs, Mode mode) {
    require(layer != nullptr, "apply: there is no layer");
    for (size_t i = 0; i < inputs.size(); ++i)
        require(inputs[i] != nullptr, "[", layer->label(), "] input ", i, " is null; pass the output of another layer");
    require(!inputs.empty() || is_input(*layer), "[", layer->label(),
            "] needs an input; pass the output of another layer");
    try {
        Shape shape = infer_checked(*layer, shapes_of(inputs));
        if (mode == Mode::training) check_may_train(*layer, shapes_of(inputs));
        return make_symbol(layer, inputs, std::move(shape), mode);
    } catch (const ValueError& error) {
        if (!layer->name().empty()) throw;
        throw ValueError(with_name(error.what(), layer->label(), name_after(layer, inputs)));
    }
}

std::vector<Shape> Graph::input_shapes(int node) const {
    std::vector<Shape> shapes;
    for (int source : nodes.at(node).inputs) shapes.push_back(nodes.at(source).shape);
    return shapes;
}

int Graph::find_layer(const std::string& name) const {
    if (const auto found = layer_names.find(name); found != layer_names.end()) return found->second;
    std::vector<std::string> names;
    for (const LayerEntry& entry : layers) names.push_back(entry.name);
    fail("the model has no layer ", quoted(name), "; ", suggestion(name, names));
}

Graph Graph::build(const std::vector<Symbol>& inputs, const std::vector<Symbol>& outputs) {
    require(!inputs.empty(), "a model needs at least one input");
    require(!outputs.empty(), "a model needs at least one output");
    for (const Symbol& symbol : inputs) require(symbol != nullptr, "a model's input is null");
    for (const Symbol& symbol : outputs) require(symbol != nullptr, "a model's output is null");

    Graph graph;
    const std::vector<const SymbolNode*> symbols = ancestors(outputs);
    LayerIndex layer_index;
    const std::vector<LayerPtr> unique = unique_layers(symbols, layer_index);
    check_names(unique);
    const std::vector<std::string> names = assign_names(unique);
    for (size_t i = 0; i < unique.size(); ++i) {
        graph.layers.push_back({unique[i], names[i], -1});
        graph.layer_names.emplace(names[i], static_cast<int>(i));
    }

    std::unordered_map<const SymbolNode*, int> node_index;
    size_t input_count = 0;
    for (const SymbolNode* symbol : symbols) {
        const int node = static_cast<int>(graph.nodes.size());
        node_index.emplace(symbol, node);
        Node& added =
            graph.nodes.emplace_back(Node{layer_index.at(symbol->layer.get()), {}, symbol->shape, symbol->mode});
        input_count += is_input(*symbol->layer);
        for (const Symbol& source : symbol->inputs) added.inputs.push_back(node_index.at(source.get()));
        LayerEntry& entry = graph.layers[added.layer];
        if (entry.first_node < 0) {
            entry.first_node = node;
        } else {
            require(!is_input(*entry.layer), "[", entry.name, "] is a network's input and cannot be used as two");
            check_shared_weights(graph, entry, node);
        }
    }

    std::unordered_set<const SymbolNode*> given;
    for (const Symbol& symbol : inputs) {
        const auto found = node_index.find(symbol.get());
        const std::string label = found == node_index.end() ? symbol->layer->label() : graph.name(found->second);
        require(is_input(*symbol->layer), "a model's inputs are made by Input(); got the output of layer ",
                quoted(label));
        require(given.insert(symbol.get()).second, "the input ", quoted(label), " is given twice");
        require(found != node_index.end(), "no output depends on the input ", quoted(label), " of shape ",
                with_batch(symbol->shape), "; leave it out, or connect it");
        graph.inputs.push_back(found->second);
    }
    for (const Symbol& symbol : outputs) graph.outputs.push_back(node_index.at(symbol.get()));
    for (size_t i = 0; i < outputs.size(); ++i) {
        if (given.size() == input_count) break;
        for (const SymbolNode* symbol : ancestors({outputs[i]})) {
            if (!is_input(*symbol->layer) || given.count(symbol)) continue;
            fail("the output ", quoted(graph.name(graph.outputs[i])), " depends on the input ",
                 quoted(graph.name(node_index.at(symbol))), " of shape ", with_batch(symbol->shape),
                 ", which is not among the model's inputs; add it to them");
        }
    }
    return graph;
}

}  // namespace striate
