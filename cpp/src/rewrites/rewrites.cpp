// The graph's nodes as plan nodes: what the request does not need is left out, layers that end in an activation are
// split, and the table of fusions is applied.
#include <algorithm>
#include <unordered_map>
#include <utility>

#include "layers/activation_steps.hpp"
#include "planning/plan_builder.hpp"
#include "rewrites/fused_normalization.hpp"
#include "rewrites/pooled_conv2d.hpp"
#include "rewrites/rectified_add.hpp"
#include "striate/layers/batch_normalization.hpp"
#include "striate/layers/concatenate.hpp"
#include "striate/layers/conv2d.hpp"
#include "striate/layers/conv2d_transpose.hpp"
#include "striate/layers/dense.hpp"
#include "striate/layers/depthwise_conv2d.hpp"
#include "striate/layers/input_layer.hpp"
#include "striate/layers/max_pooling2d.hpp"
#include "striate/layers/separable_conv2d.hpp"

namespace striate {
namespace {

bool given(const PlanRequest& request, size_t node) {
    const std::vector<int>& sources = request.sources;
    return std::find(sources.begin(), sources.end(), static_cast<int>(node)) != sources.end();
}

std::vector<char> needed_nodes(const Graph& graph, const PlanRequest& request) {
    std::vector<char> needed(graph.nodes.size(), 0);
    for (int node : request.outputs) needed[node] = 1;
    for (int node : request.watched) needed[node] = 1;
    for (size_t i = graph.nodes.size(); i-- > 0;)
        if (needed[i] && !given(request, i))
            for (int from : graph.nodes[i].inputs) needed[from] = 1;
    return needed;
}

bool is_relu(const Layer& layer) {
    const auto function = activation_function(layer);
    return function && function->kind == kernels::ActivationKind::relu;
}

// Whether it is the maximum of 2 x 2 windows side by side, none of which hangs over the edge of a map of this shape.
bool halves(const Layer& layer, const Shape& map) {
    const auto* pool = dynamic_cast<const MaxPooling2D*>(&layer);
    if (!pool) return false;
    const MaxPooling2DOptions& o = pool->options();
    const Pair strides = o.strides.value_or(o.pool_size);
    return o.pool_size.h == 2 && o.pool_size.w == 2 && strides.h == 2 && strides.w == 2 &&
           (o.padding == "valid" || (o.padding == "same" && map[0] % 2 == 0 && map[1] % 2 == 0));
}

// The network while it is rewritten. Every operation takes constant time, so that a rewrite takes time in proportion to
// the network.
struct Rewriter {
    Network& network;
    Rules rules;                       // of the device
    std::vector<char> wanted;          // values that somebody outside asks for, which must be made as they are
    std::vector<int> readers, makers;  // by value: the last node that reads it, the node that makes it; -1: none

    // Begins a rewrite: leaves out the nodes that the one before removed.
    void begin() {
        std::vector<PlanNode>& nodes = network.nodes;
        nodes.erase(std::remove_if(nodes.begin(), nodes.end(), [](const PlanNode& node) { return !node.layer; }),
                    nodes.end());
        readers.assign(network.values.size(), -1);
        makers.assign(network.values.size(), -1);
        for (size_t i = 0; i < nodes.size(); ++i) index(i);
    }
    // Notes what node `place` reads and makes.
    void index(size_t place) {
        for (int from : network.nodes[place].inputs) readers[static_cast<size_t>(from)] = static_cast<int>(place);
        makers[static_cast<size_t>(network.nodes[place].output)] = static_cast<int>(place);
    }
    bool removed(size_t place) const { return !network.nodes[place].layer; }
    // The node that alone reads what node `place` makes, or -1.
    int only_reader(size_t place) const {
        const auto value = static_cast<size_t>(network.nodes[place].output);
        return wanted[value] || network.values[value].readers != 1 ? -1 : readers[value];
    }
    // Has node `place` make what `reader` makes, and leaves that out.
    void take(size_t place, int reader) {
        network.nodes[place].output = network.nodes[static_cast<size_t>(reader)].output;
        remove(static_cast<size_t>(reader));
        index(place);
    }
    void remove(size_t place) { network.nodes[place].layer = nullptr; }
};

// max_pool(relu(x)) is relu(max_pool(x)), bit for bit, gradients too, on a quarter of the elements.
void pool_before_relu(Rewriter& rewriter) {
    Network& network = rewriter.network;
    for (size_t i = 0; i < network.nodes.size(); ++i) {
        if (rewriter.removed(i) || !is_relu(*network.nodes[i].layer)) continue;
        const int reader = rewriter.only_reader(i);
        if (reader < 0) continue;
        PlanNode &relu = network.nodes[i], &pool = network.nodes[static_cast<size_t>(reader)];
        if (!dynamic_cast<const MaxPooling2D*>(pool.layer.get())) continue;
        std::swap(relu, pool);
        // `relu` now is the pool, in the place of the activation. The value between them takes the pooled shape.
        relu.inputs.swap(pool.inputs);
        std::swap(relu.output, pool.output);
        const auto between = static_cast<size_t>(relu.output);
        network.values[between].shape = network.values[static_cast<size_t>(pool.output)].shape;
        rewriter.index(i);
        rewriter.index(static_cast<size_t>(reader));
    }
}

// The layer with other options, if it is a convolution or a dense layer and ends in no activation yet; null otherwise.
template <class Change>
LayerPtr weighted_with(const Layer& layer, const Change& change) {
    LayerPtr result;
    const auto attempt = [&](const auto* weighted) {
        if (!weighted) return;
        auto options = weighted->options();
        if (options.activation && *options.activation != "linear") return;
        change(options);
        result = std::make_shared<const std::decay_t<decltype(*weighted)>>(std::move(options), weighted->name());
    };
    attempt(dynamic_cast<const Conv2D*>(&layer));
    attempt(dynamic_cast<const Conv2DTranspose*>(&layer));
    attempt(dynamic_cast<const DepthwiseConv2D*>(&layer));
    attempt(dynamic_cast<const SeparableConv2D*>(&layer));
    attempt(dynamic_cast<const Dense*>(&layer));
    return result;
}

// Whether it is a convolution or a dense layer that applies no activation itself. An activation that has a name in its
// options is a node of its own, unless it is relu.
bool takes_activation(const Layer& layer) {
    if (dynamic_cast<const PooledConv2D*>(&layer)) return false;
    const auto plain = [](const auto* weighted) { return weighted && weighted->options().activation != "relu"; };
    return plain(dynamic_cast<const Conv2D*>(&layer)) || plain(dynamic_cast<const Conv2DTranspose*>(&layer)) ||
           plain(dynamic_cast<const DepthwiseConv2D*>(&layer)) || plain(dynamic_cast<const SeparableConv2D*>(&layer)) ||
           plain(dynamic_cast<const Dense*>(&layer));
}

// At inference a convolution or a dense layer does the batch normalisation behind it by its weights (folding.cpp).
void normalise_by_weights(Rewriter& rewriter) {
    Network& network = rewriter.network;
    for (size_t i = 0; i < network.nodes.size(); ++i) {
        if (rewriter.removed(i)) continue;
        const int reader = rewriter.only_reader(i);
        if (reader < 0 || network.nodes[i].norm) continue;
        PlanNode &node = network.nodes[i], &norm = network.nodes[static_cast<size_t>(reader)];
        if (!dynamic_cast<const BatchNormalization*>(norm.layer.get())) continue;
        LayerPtr folded = weighted_with(*node.layer, [](auto& options) { options.use_bias = true; });
        if (!folded) continue;
        node.layer = std::move(folded);
        node.norm = norm.layer;
        node.norm_layer = norm.graph_layer;
        rewriter.take(i, reader);
    }
}

// At inference a convolution or a dense layer whose result goes into a sum of two adds to the other term, in its place
// if nobody reads that afterwards.
void add_in_epilogue(Rewriter& rewriter) {
    Network& network = rewriter.network;
    for (size_t j = 0; j < network.nodes.size(); ++j) {
        if (rewriter.removed(j)) continue;
        const PlanNode sum = network.nodes[j];
        if (!dynamic_cast<const Add*>(sum.layer.get()) || sum.inputs.size() != 2) continue;
        const auto shape = [&](int value) { return network.values[static_cast<size_t>(value)].shape; };
        if (shape(sum.inputs[0]) != shape(sum.inputs[1])) continue;
        // The later of the two terms first.
        std::pair makers{rewriter.makers[static_cast<size_t>(sum.inputs[0])],
                         rewriter.makers[static_cast<size_t>(sum.inputs[1])]};
        if (makers.first < makers.second) std::swap(makers.first, makers.second);
        for (const int maker : {makers.first, makers.second}) {
            const auto i = static_cast<size_t>(maker);
            const PlanNode& node = network.nodes[i];
            const auto* conv = dynamic_cast<const Conv2D*>(node.layer.get());
            const auto* dense = dynamic_cast<const Dense*>(node.layer.get());
            const auto plain = [](const auto* layer) {
                return layer && layer->options().activation.value_or("linear") == "linear";
            };
            if (node.addend >= 0 || !(plain(conv) || plain(dense)) || rewriter.only_reader(i) != static_cast<int>(j))
                continue;
            PlanNode joined = node;
            joined.addend = static_cast<int>(joined.inputs.size());
            joined.inputs.push_back(sum.inputs[0] == node.output ? sum.inputs[1] : sum.inputs[0]);
            joined.output = sum.output;
            network.nodes[j] = std::move(joined);
            rewriter.remove(i);
            rewriter.index(j);
            break;
        }
    }
}

// A convolution or a dense layer writes relu of its sums at once, and so does a sum of two.
void relu_in_epilogue(Rewriter& rewriter) {
    Network& network = rewriter.network;
    for (size_t i = 0; i < network.nodes.size(); ++i) {
        if (rewriter.removed(i)) continue;
        const int reader = rewriter.only_reader(i);
        if (reader < 0 || !is_relu(*network.nodes[static_cast<size_t>(reader)].layer)) continue;
        const Layer& layer = *network.nodes[i].layer;
        LayerPtr fused = weighted_with(layer, [](auto& options) { options.activation = "relu"; });
        if (const auto* add = dynamic_cast<const Add*>(&layer); add && !dynamic_cast<const RectifiedAdd*>(add))
            fused = std::make_shared<const RectifiedAdd>(add->options(), add->name());
        if (!fused) continue;
        network.nodes[i].layer = std::move(fused);
        rewriter.take(i, reader);
    }
}

// At inference a convolution or a dense layer applies other functions to its sums, too.
void activate_in_epilogue(Rewriter& rewriter) {
    Network& network = rewriter.network;
    for (size_t i = 0; i < network.nodes.size(); ++i) {
        if (rewriter.removed(i)) continue;
        const int reader = rewriter.only_reader(i);
        if (reader < 0 || network.nodes[i].activation) continue;
        const auto function = activation_function(*network.nodes[static_cast<size_t>(reader)].layer);
        if (!function || !kernels::fits_epilogue(function->kind)) continue;
        if (!takes_activation(*network.nodes[i].layer)) continue;
        network.nodes[i].activation = function;
        rewriter.take(i, reader);
    }
}

// A convolution keeps the maxima of 2 x 2 windows alone, and rectifies them if ReLU is what reads those.
void pool_in_epilogue(Rewriter& rewriter) {
    Network& network = rewriter.network;
    for (size_t i = 0; i < network.nodes.size(); ++i) {
        const auto* conv = dynamic_cast<const Conv2D*>(network.nodes[i].layer.get());  // null of a removed node
        if (!conv || network.nodes[i].addend >= 0) continue;
        const Shape& shape = network.values[static_cast<size_t>(network.nodes[i].output)].shape;
        int reader = rewriter.only_reader(i);
        if (reader < 0 || !halves(*network.nodes[static_cast<size_t>(reader)].layer, shape)) continue;
        rewriter.take(i, reader);
        Conv2DOptions options = conv->options();
        reader = rewriter.only_reader(i);
        if (reader >= 0 && is_relu(*network.nodes[static_cast<size_t>(reader)].layer)) {
            rewriter.take(i, reader);
            options.activation = "relu";
        }
        network.nodes[i].layer = std::make_shared<const PooledConv2D>(std::move(options), conv->name());
    }
}

// Batch normalisation and what alone reads it, an activation, 2 x 2 maxima or maxima and then ReLU, in as few passes as
// one needs.
void normalise_at_once(Rewriter& rewriter) {
    Network& network = rewriter.network;
    for (size_t i = 0; i < network.nodes.size(); ++i) {
        auto norm = std::dynamic_pointer_cast<const BatchNormalization>(network.nodes[i].layer);
        if (!norm) continue;
        const Shape& shape = network.values[static_cast<size_t>(network.nodes[i].output)].shape;
        int reader = rewriter.only_reader(i);
        const bool pool = reader >= 0 && halves(*network.nodes[static_cast<size_t>(reader)].layer, shape);
        if (pool) rewriter.take(i, reader), reader = rewriter.only_reader(i);
        auto activation = kernels::ActivationKind::linear;
        if (reader >= 0) {
            const auto function = activation_function(*network.nodes[static_cast<size_t>(reader)].layer);
            // Kernels of other activations expect a shift.
            const bool only_relu = pool || !rewriter.rules.epilogues || !norm->options().center;
            if (function && (function->kind == kernels::ActivationKind::relu ||
                             (!only_relu && kernels::fits_normalization(function->kind)))) {
                activation = function->kind;
                rewriter.take(i, reader);
            }
        }
        if (pool || activation != kernels::ActivationKind::linear)
            network.nodes[i].layer = fused_normalization(std::move(norm), pool, activation);
    }
}

// What is put side by side as channels is written there in the first place. Inputs of the network have a place of their
// own.
void concatenate_in_place(Rewriter& rewriter) {
    Network& network = rewriter.network;
    std::vector<char> made(network.values.size(), 0);
    for (const PlanNode& node : network.nodes) {
        made[static_cast<size_t>(node.output)] = !node.inputs.empty();
        const auto* layer = dynamic_cast<const Concatenate*>(node.layer.get());
        if (!layer) continue;
        const Shape& whole = network.values[static_cast<size_t>(node.output)].shape;
        if (layer->axis(whole) + 1 != whole.size()) continue;
        int64_t first = 0;
        std::unordered_map<int, int> uses;
        for (int from : node.inputs) ++uses[from];
        for (int from : node.inputs) {
            PlanValue& part = network.values[static_cast<size_t>(from)];
            if (uses[from] == 1 && part.part_of < 0 && made[static_cast<size_t>(from)]) {
                part.part_of = node.output;
                part.part_first = first;
            }
            first += part.shape.back();
        }
    }
}

// The gradient of a sum is that of each term.
void pass_gradients(Rewriter& rewriter) {
    for (PlanNode& node : rewriter.network.nodes)
        if (dynamic_cast<const Add*>(node.layer.get())) node.passes_gradient = true;
}

// The tables of rewrites, in the order in which they are applied. Each keeps the network's results but for rounding.
// Without a backward pass relu costs nothing in a convolution's epilogue, so that it is left there.
constexpr void (*kRewrites[])(Rewriter&) = {pool_before_relu,  relu_in_epilogue,     pool_in_epilogue,
                                            normalise_at_once, concatenate_in_place, pass_gradients};
constexpr void (*kForwardRewrites[])(Rewriter&) = {normalise_by_weights, add_in_epilogue,     relu_in_epilogue,
                                                   pool_before_relu,     pool_in_epilogue,    activate_in_epilogue,
                                                   normalise_at_once,    concatenate_in_place};

void apply_rewrites(Rewriter& rewriter, const PlanRequest& request) {
    const auto apply = [&](const auto& rewrites) {
        for (const auto rewrite : rewrites) {
            rewriter.begin();
            rewrite(rewriter);
        }
        rewriter.begin();
    };
    if (request.training || request.backward) {
        apply(kRewrites);
    } else {
        apply(kForwardRewrites);
    }
}

}  // namespace

Network make_network(const Graph& graph, const PlanRequest& request) {
    Network network;
    network.node_values.assign(graph.nodes.size(), -1);
    const std::vector<char> needed = needed_nodes(graph, request);
    auto add_value = [&](Shape shape) {
        network.values.emplace_back().shape = std::move(shape);
        return static_cast<int>(network.values.size()) - 1;
    };
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
        if (!needed[i]) continue;
        const Graph::Node& node = graph.nodes[i];
        const LayerPtr& layer = graph.layers[node.layer].layer;
        const int index = static_cast<int>(i);
        if (given(request, i)) {
            network.node_values[i] = add_value(node.shape);
            network.nodes.push_back({std::make_shared<const InputLayer>(InputLayerOptions{node.shape}, ""),
                                     {},
                                     network.node_values[i],
                                     node.layer,
                                     index});
            continue;
        }
        std::vector<int> inputs;
        for (int from : node.inputs) inputs.push_back(network.node_values[from]);
        if (LayerPtr activation = layer->activation()) {
            const int between = add_value(node.shape);
            network.nodes.push_back({layer, std::move(inputs), between, node.layer, index});
            network.node_values[i] = add_value(node.shape);
            network.nodes.push_back({std::move(activation), {between}, network.node_values[i], node.layer, index});
        } else {
            network.node_values[i] = add_value(node.shape);
            network.nodes.push_back({layer, std::move(inputs), network.node_values[i], node.layer, index});
        }
    }
    for (const PlanNode& node : network.nodes)
        for (int from : node.inputs) ++network.values[from].readers;
    Rewriter rewriter{network, request.device->rules(), std::vector<char>(network.values.size(), 0), {}, {}};
    for (const std::vector<int>* nodes : {&request.outputs, &request.watched})
        for (int node : *nodes)
            rewriter.wanted[static_cast<size_t>(network.node_values[static_cast<size_t>(node)])] = 1;
    if (request.options.fusion) apply_rewrites(rewriter, request);
    return network;
}

}  // namespace striate
