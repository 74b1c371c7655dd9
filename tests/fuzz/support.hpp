// What the fuzz targets share: a file in memory, a bound on memory, and bounded use of a model that was read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "striate/model.hpp"

namespace fuzz {

// A file that lives in memory and has a path.
class MemoryFile {
  public:
    MemoryFile();
    MemoryFile(const MemoryFile&) = delete;
    MemoryFile& operator=(const MemoryFile&) = delete;

    const std::string& put(const void* data, size_t bytes);
    const std::string& path() const { return path_; }

  private:
    int descriptor_;
    std::string path_;
};

// Aborts on destruction when more than 100 bytes for each byte of the input, and a fixed number, were allocated at once
// since it was made. Needs AddressSanitizer; without it, it checks nothing.
class MemoryBound {
  public:
    explicit MemoryBound(size_t input_bytes);
    ~MemoryBound();
    MemoryBound(const MemoryBound&) = delete;
    MemoryBound& operator=(const MemoryBound&) = delete;

  private:
    int64_t limit_;
};

// Whether weights, activations and arithmetic are small enough to run the model at every input.
bool is_small(const striate::Graph& graph);
// Plans and runs the model: prediction, and a forward and backward pass. The model must be small.
void exercise(striate::Model& model);
// Aborts with a message unless `good`.
void check(bool good, const char* what);

}  // namespace fuzz
