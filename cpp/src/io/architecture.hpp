// A model's architecture as JSON, as model files hold it in their metadata:
//   {"format": "striate", "version": 1, "seed": 0,
//    "layers": [{"type": "Conv2D", "name": "conv2d", "config": {"filters": 32, ...}}, ...],
//    "nodes": [{"layer": 0, "inputs": []}, ...],      in an order in which each comes after its inputs; version 2 has
//                                                     "inference" or "training": true where a call's mode is fixed
//    "inputs": [0], "outputs": [7],                   nodes
//    "frozen": ["conv2d"]}
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "striate/graph.hpp"
#include "striate/model.hpp"

namespace striate::io {

struct Architecture {
    std::vector<Symbol> inputs, outputs;
    std::vector<std::string> frozen;
    uint64_t seed = 0;
};

std::string write_architecture(const Model& model);

// Throws ValueError for anything that is no network. Nothing is allocated here for the sizes that the text gives.
Architecture read_architecture(const std::string& text);

}  // namespace striate::io
