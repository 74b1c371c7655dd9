// The safetensors format (https://huggingface.co/docs/safetensors): eight bytes that give the length of a JSON header,
// the header with each tensor's type, shape and place, and the tensors' data.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "io/file.hpp"
#include "striate/io.hpp"
#include "striate/tensor.hpp"

namespace striate::io {

// A file whose header has been checked against the file's length: every tensor is within the data, they neither
// overlap nor leave holes, and their sizes are those of their shapes.
class SafetensorsFile {
  public:
    struct Entry {
        std::string name, type;  // "F32", ...
        Shape shape;
        uint64_t begin, end;  // in the data, in bytes
    };

    // Throws FileError, or ValueError when the file is damaged or of another format.
    explicit SafetensorsFile(const std::string& path);

    // In the order of their offsets.
    const std::vector<Entry>& entries() const { return entries_; }
    const Metadata& metadata() const { return metadata_; }
    // Null when there is none of that name.
    const Entry* find(const std::string& name) const;
    // Reads a tensor of type F32.
    void read(const Entry& entry, float* out) const;

  private:
    void parse_header(const std::string& header, uint64_t data_size);

    InputFile file_;
    uint64_t data_begin_ = 0;
    std::vector<Entry> entries_;
    std::unordered_map<std::string, size_t> index_;
    Metadata metadata_;
};

// A tensor of type F32 that has been read and waits to be copied to its place.
class StagedTensor {
  public:
    // Reads `count` floats. The file must have a tensor of this name.
    StagedTensor(const SafetensorsFile& file, const std::string& name, int64_t count);
    void commit(float* place) const noexcept;

  private:
    std::vector<float> values_;
};

struct NamedTensor {
    std::string name;
    Shape shape;
    const float* data;
};

// Writes float32 tensors, atomically. Throws FileError.
void write_safetensors(const std::string& path, const std::vector<NamedTensor>& tensors, const Metadata& metadata,
                       bool overwrite = true);

}  // namespace striate::io
