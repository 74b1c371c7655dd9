#include "planning/image_pieces.hpp"

#include <algorithm>
#include <numeric>

#include "planning/plan_builder.hpp"

namespace striate {
namespace {

// In bytes from the near cache: what a byte from beyond it costs; what a multiply-add costs; and what a layer costs
// once for all images of a piece, since the threads meet there, and loops begin and end.
constexpr double kFar = 3.0, kMultiplyAdd = 0.7, kLayer = 100e3;
// Pieces must pay by this share, and so must a cut: the model of their costs is a rough one.
constexpr double kPays = 0.99;

// The layers [begin, end), of an image, when so many are predicted at a time.
double cost(const Traffic& traffic, size_t begin, size_t end, double images, double near_bytes) {
    double weights = 0, total = 0;
    for (size_t i = begin; i < end; ++i) {
        const Traffic::Layer& layer = traffic.layers[i];
        weights += layer.weight_bytes;
        total += kMultiplyAdd * layer.multiply_adds;
        total += layer.map_bytes * (images * layer.map_bytes > near_bytes ? kFar : 1.0);
    }
    return total + (weights * (weights > near_bytes ? kFar : 1.0) + kLayer * static_cast<double>(end - begin)) / images;
}

// Of each value: the last node that reads it, or beyond all of them for what is asked for; -1: none.
std::vector<size_t> last_readers(const Network& network, const PlanRequest& request) {
    std::vector<size_t> last(network.values.size(), 0);
    for (size_t i = 0; i < network.nodes.size(); ++i)
        for (int from : network.nodes[i].inputs) last[static_cast<size_t>(from)] = i;
    for (int node : request.outputs)
        last[static_cast<size_t>(network.node_values[static_cast<size_t>(node)])] = network.nodes.size();
    return last;
}

// Sets `cut` of the layers.
void find_cuts(Traffic& traffic, const Network& network, const PlanRequest& request) {
    const std::vector<size_t> last = last_readers(network, request);
    std::vector<int> graph_node(network.values.size(), -1);
    for (size_t node = 0; node < network.node_values.size(); ++node)
        if (network.node_values[node] >= 0) graph_node[static_cast<size_t>(network.node_values[node])] = int(node);
    size_t first = 0;  // behind the last input
    for (size_t i = 0; i < network.nodes.size(); ++i)
        if (network.nodes[i].inputs.empty()) first = i + 1;
    std::vector<int> ends(network.nodes.size() + 1, 0);  // how many values are read there for the last time
    int live = 0;
    for (size_t i = 0; i < network.nodes.size(); ++i) {
        const auto made = static_cast<size_t>(network.nodes[i].output);
        live -= ends[i];
        if (last[made] > i) ++live, ++ends[last[made]];
        const bool alone = live == 1 && last[made] > i && last[made] < network.nodes.size();
        if (i < first || !alone || network.values[made].part_of >= 0) continue;
        traffic.layers[i].cut = graph_node[made];
        traffic.layers[i].cut_bytes = static_cast<double>(element_count(network.values[made].shape)) * sizeof(float);
    }
}

}  // namespace

Traffic traffic_of(const Graph& graph, Parameters& parameters, PlanRequest request,
                   const std::vector<double>& weight_bytes) {
    request.batch = 1;
    const Network network = make_network(graph, request);
    Traffic traffic;
    traffic.divisible = std::all_of(network.nodes.begin(), network.nodes.end(), [&](const PlanNode& node) {
        return node.layer->per_sample() && graph.nodes[static_cast<size_t>(node.graph_node)].mode != Mode::training;
    });
    if (!traffic.divisible) return traffic;
    const std::vector<char> between = PlanBuilder(graph, parameters, request).between_bands();
    const auto bytes_of = [&](int value) {
        if (between[static_cast<size_t>(value)]) return 0.0;
        return static_cast<double>(element_count(network.values[static_cast<size_t>(value)].shape)) * sizeof(float);
    };
    std::vector<double> weights = weight_bytes;
    for (const PlanNode& node : network.nodes) {
        std::vector<Shape> shapes;
        for (size_t i = 0; i < node.inputs.size(); ++i)
            if (static_cast<int>(i) != node.addend)
                shapes.push_back(network.values[static_cast<size_t>(node.inputs[i])].shape);
        Traffic::Layer layer;
        layer.multiply_adds = static_cast<double>(node.layer->multiply_adds(shapes));
        layer.map_bytes = std::accumulate(node.inputs.begin(), node.inputs.end(), bytes_of(node.output),
                                          [&](double sum, int value) { return sum + bytes_of(value); });
        std::swap(layer.weight_bytes, weights[static_cast<size_t>(node.graph_layer)]);  // once
        traffic.layers.push_back(layer);
    }
    find_cuts(traffic, network, request);
    return traffic;
}

Pieces pieces_of(const Traffic& traffic, int64_t batch, double near_bytes) {
    Pieces best{batch};
    if (!traffic.divisible || near_bytes <= 0) return best;
    const size_t end = traffic.layers.size();
    const auto whole = static_cast<double>(batch);
    double least = kPays * cost(traffic, 0, end, whole, near_bytes);
    for (int64_t images = 1; images < batch; images *= 2) {
        const double of = cost(traffic, 0, end, static_cast<double>(images), near_bytes);
        if (of < least) best.images = images, least = of;
    }
    least *= kPays;
    for (size_t i = 0; i < end; ++i) {
        if (traffic.layers[i].cut < 0) continue;
        // The value is copied out and in again.
        const double copies = 4 * traffic.layers[i].cut_bytes;
        const double behind =
            cost(traffic, i + 1, end, whole, near_bytes) + copies * (whole * copies > near_bytes ? kFar : 1);
        for (int64_t images = 1; images < batch; images *= 2) {
            const double of = cost(traffic, 0, i + 1, static_cast<double>(images), near_bytes) + behind;
            if (of < least) best = {images, traffic.layers[i].cut}, least = of;
        }
    }
    return best;
}

}  // namespace striate
