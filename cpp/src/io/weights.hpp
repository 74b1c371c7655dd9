// The weights of a network and the tensors of a file, matched by name.
#pragma once

#include <string>

#include "io/safetensors.hpp"
#include "striate/error.hpp"
#include "striate/graph.hpp"
#include "striate/model.hpp"

namespace striate::io {

// Throws ValueError unless the file has exactly the weights of the network, by their names, shapes and type.
void check_weights(const Graph& graph, const SafetensorsFile& file);
// Reads them into a model that was just made. Throws FileError.
void read_weights(Model& model, const SafetensorsFile& file);

// Errors of a file's content name the file.
template <class Read>
auto reading(const std::string& path, Read&& read) {
    check_path(path);
    try {
        return read();
    } catch (const ValueError& error) {
        throw ValueError(concat("cannot load '", path, "': ", error.what()));
    }
}

}  // namespace striate::io
