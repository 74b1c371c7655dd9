// Into how many pieces the images of a prediction are cut, so that maps stay in the near cache from one layer to the
// next, and up to which layer.
#pragma once

#include <cstdint>
#include <vector>

#include "running/plan.hpp"
#include "striate/graph.hpp"

namespace striate {

// What of a network the choice depends on: a list of layers, in order.
struct Traffic {
    struct Layer {
        double map_bytes = 0;      // inputs and output, of one image
        double multiply_adds = 0;  // of one image
        double weight_bytes = 0;
        int cut = -1;          // the graph's node whose value alone is read behind this layer; -1: several are, or none
        double cut_bytes = 0;  // of that value
    };
    bool divisible = false;  // whether each image's outputs depend on that image alone
    std::vector<Layer> layers;
};

// Of the network that predicts, after rewrites. `weight_bytes`: of each layer of the graph. Maps that bands keep near
// have no bytes.
Traffic traffic_of(const Graph& graph, Parameters& parameters, PlanRequest request,
                   const std::vector<double>& weight_bytes);

struct Pieces {
    int64_t images;  // at a time: the whole batch, or a power of two
    int cut = -1;    // the node up to which; layers behind it have the whole batch. -1: to the end
};

// How a batch is best predicted. A model of the bytes that come from near and from far (Rules::near_bytes), beside the
// arithmetic, decides.
Pieces pieces_of(const Traffic& traffic, int64_t batch, double near_bytes);

}  // namespace striate
