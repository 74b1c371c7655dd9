// The graph's nodes as plan nodes: what the request does not need is left out, layers that end in an activation are split,
// and the table of fusions is applied.
#include "graph/plan_builder.hpp"

namespace striate {
namespace {

std::vector<char> needed_nodes(const Graph& graph, const PlanRequest& request) {
    std::vector<char> needed(graph.nodes.size(), 0);
    for (int node : request.outputs) needed[node] = 1;
    for (int node : request.watched) needed[node] = 1;
    for (size_t i = graph.nodes.size(); i-- > 0;)
        if (needed[i])
            for (int from : graph.nodes[i].inputs) needed[from] = 1;
    return needed;
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
        std::vector<int> inputs;
        for (int from : node.inputs) inputs.push_back(network.node_values[from]);
        const int index = static_cast<int>(i);
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
    return network;
}

}  // namespace striate
