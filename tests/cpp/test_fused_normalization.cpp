// Which plans do batch normalisation and what follows it at once, seen from the kernels that they call.
#include <algorithm>
#include <string>
#include <vector>

#include "check.hpp"
#include "planning/plan_builder.hpp"
#include "striate/layers/max_pooling2d.hpp"

using namespace striate;

namespace {

struct Chain {
    std::vector<LayerPtr> layers;  // behind an input of `shape`, each on the one before
    Shape shape;
    std::vector<int> watched = {};  // by place in `layers`
};

std::vector<std::string> plan_nodes(const Chain& chain) {
    const Symbol x = input(chain.shape);
    Symbol y = x;
    for (const LayerPtr& layer : chain.layers) y = apply(layer, {y});
    const Graph graph = Graph::build({x}, {y});
    PlanRequest request;
    request.training = true;
    request.outputs = graph.outputs;
    for (const int place : chain.watched) request.watched.push_back(place + 1);
    std::vector<std::string> types;
    for (const PlanNode& node : make_network(graph, request).nodes)
        if (!node.inputs.empty()) types.push_back(node.layer->type());
    return types;
}

LayerPtr norm() {
    return make_layer("BatchNormalization", {}, "");
}
LayerPtr relu() {
    return make_layer("ReLU", {}, "");
}
LayerPtr pool(int64_t size, int64_t strides, const char* padding) {
    return std::make_shared<const MaxPooling2D>(MaxPooling2DOptions{Pair{size}, Pair{strides}, padding}, "");
}
LayerPtr flatten() {
    return make_layer("Flatten", {}, "");
}

using Types = std::vector<std::string>;

TEST_CASE("normalizations are fused with the activations and poolings that follow") {
    const Types one = {"BatchNormalization", "Flatten"};
    CHECK(plan_nodes({{norm(), relu(), flatten()}, {7, 6, 3}}) == one);
    CHECK(plan_nodes({{norm(), relu(), pool(2, 2, "valid"), flatten()}, {7, 6, 3}}) == one);
    CHECK(plan_nodes({{norm(), pool(2, 2, "valid"), relu(), flatten()}, {7, 6, 3}}) == one);
    CHECK(plan_nodes({{norm(), relu(), pool(2, 2, "same"), flatten()}, {8, 6, 3}}) == one);
    CHECK(plan_nodes({{norm(), pool(2, 2, "valid"), flatten()}, {7, 6, 3}}) == one);
    // Windows that hang over the edge, overlap or are of another size.
    const Types apart = {"BatchNormalization", "MaxPooling2D", "ReLU", "Flatten"};
    CHECK(plan_nodes({{norm(), relu(), pool(2, 2, "same"), flatten()}, {7, 6, 3}}) == apart);
    CHECK(plan_nodes({{norm(), relu(), pool(2, 1, "valid"), flatten()}, {8, 6, 3}}) == apart);
    CHECK(plan_nodes({{norm(), relu(), pool(3, 3, "valid"), flatten()}, {8, 6, 3}}) == apart);
    // Values that somebody asks for are made as they are.
    const Types layers = {"BatchNormalization", "MaxPooling2D", "Flatten"};
    CHECK(plan_nodes({{norm(), relu(), pool(2, 2, "valid"), flatten()}, {8, 6, 3}, {1}}) == layers);
    CHECK(plan_nodes({{norm(), relu(), flatten()}, {8, 6, 3}, {0}}) ==
          (Types{"BatchNormalization", "ReLU", "Flatten"}));
}

}  // namespace
