// The network as a graph: any directed acyclic one. A symbol represents a tensor that will be computed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "striate/layer.hpp"

namespace striate STRIATE_API {

struct SymbolNode;
using Symbol = std::shared_ptr<const SymbolNode>;

// How a layer behaves in one call: as the run asks for, or always as in inference or as in training. Batch
// normalisation in inference uses its moving averages and leaves them as they are, and dropout drops nothing.
enum class Mode : uint8_t { of_run, inference, training };

// One call of a layer.
struct SymbolNode {
    LayerPtr layer;
    std::vector<Symbol> inputs;
    Shape shape;     // of the output, without the batch
    uint64_t order;  // of creation, which is a topological order
    Mode mode;
};

// A network's input of the given shape, without the batch.
Symbol input(Shape shape, std::string name = "");

// The output of `layer` for these inputs. Shapes are checked here. A layer applied twice shares its weights. Where
// dropout is called with Mode::training, each prediction of a batch draws other numbers. Throws ValueError for
// Mode::training of a layer that has moving averages, which a prediction must not change.
Symbol apply(const LayerPtr& layer, const std::vector<Symbol>& inputs, Mode mode = Mode::of_run);

// The graph of a model: its nodes in order, its layers once each, all named.
struct Graph {
    struct Node {
        int layer;
        std::vector<int> inputs;  // nodes
        Shape shape;
        Mode mode;
    };
    struct LayerEntry {
        LayerPtr layer;
        std::string name;
        int first_node;
    };
    std::vector<Node> nodes;
    std::vector<LayerEntry> layers;
    std::vector<int> inputs, outputs;                  // nodes
    std::unordered_map<std::string, int> layer_names;  // places in `layers`

    const std::string& name(int node) const { return layers[nodes[node].layer].name; }
    std::vector<Shape> input_shapes(int node) const;
    // Throws ValueError, with the names there are, when there is no such layer.
    int find_layer(const std::string& name) const;

    // Collects what is between inputs and outputs. Throws ValueError when an output depends on an input that is not
    // given, when an input is given twice, and when two layers were given the same name.
    static Graph build(const std::vector<Symbol>& inputs, const std::vector<Symbol>& outputs);
};

}  // namespace striate STRIATE_API
