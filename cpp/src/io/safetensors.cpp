#include "io/safetensors.hpp"

#include <algorithm>
#include <bit>
#include <limits>

#include "io/json.hpp"
#include "striate/error.hpp"
#include "suggest.hpp"

namespace striate::io {
namespace {

static_assert(std::endian::native == std::endian::little, "model files hold little-endian floats");

constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the format's own limit
constexpr uint64_t kLengthBytes = 8;
constexpr uint64_t kAlignment = 64;  // of the data in the file
constexpr int kHeaderDepth = 4;

struct Type {
    const char* name;
    uint64_t bits;
};
constexpr Type kTypes[] = {{"BOOL", 8}, {"U8", 8},   {"I8", 8},   {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8},
                           {"U16", 16}, {"I16", 16}, {"F16", 16}, {"BF16", 16},   {"U32", 32},    {"I32", 32},
                           {"F32", 32}, {"U64", 64}, {"I64", 64}, {"F64", 64},    {"C64", 64}};

uint64_t bits_of(const std::string& type, const std::string& where) {
    std::vector<std::string> names;
    for (const Type& known : kTypes) {
        if (type == known.name) return known.bits;
        names.emplace_back(known.name);
    }
    fail(where, " has an unknown type ", quoted(type), "; ", suggestion(type, names));
}

uint64_t unsigned_of(const Json& json, const std::string& where) {
    require(
        json.is_number_unsigned() && json.get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()),
        where, " has a size or an offset that is not an integer from 0 to 2^63 - 1");
    return json.get<uint64_t>();
}

SafetensorsFile::Entry entry_of(const std::string& name, const Json& json, uint64_t data_size) {
    const std::string where = "tensor " + quoted(name);
    SafetensorsFile::Entry entry{name, string_member(json, "dtype", where), {}, 0, 0};
    for (const Json& size : array_member(json, "shape", where))
        entry.shape.push_back(static_cast<int64_t>(unsigned_of(size, where)));
    const Json::array_t& offsets = array_member(json, "data_offsets", where);
    require(offsets.size() == 2, where, " has ", offsets.size(), " data_offsets instead of 2");
    entry.begin = unsigned_of(offsets[0], where);
    entry.end = unsigned_of(offsets[1], where);
    require(entry.begin <= entry.end && entry.end <= data_size, where, " claims the bytes ", entry.begin, " to ",
            entry.end, " of ", data_size, " bytes of data; the file is truncated or damaged");

    const uint64_t bits = bits_of(entry.type, where), count = static_cast<uint64_t>(element_count(entry.shape));
    require(count <= std::numeric_limits<uint64_t>::max() / bits && count * bits == (entry.end - entry.begin) * 8,
            where, " of type ", entry.type, " and shape ", to_string(entry.shape), " does not take the ",
            entry.end - entry.begin, " bytes that it claims");
    return entry;
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::string& path) : file_(path) {
    unsigned char bytes[kLengthBytes];
    require(file_.size() >= kLengthBytes + 2, "the file has ", file_.size(), " bytes, too few for a safetensors file");
    file_.read_at(0, bytes, kLengthBytes);
    uint64_t length = 0;
    for (uint64_t i = 0; i < kLengthBytes; ++i) length |= uint64_t{bytes[i]} << (8 * i);
    require(length >= 2 && length <= kMaxHeaderBytes && length <= file_.size() - kLengthBytes,
            "the file claims a header of ", length, " bytes in a file of ", file_.size(),
            "; it is truncated or not a safetensors file");

    std::string header(length, '\0');
    file_.read_at(kLengthBytes, header.data(), header.size());
    data_begin_ = kLengthBytes + length;
    parse_header(header, file_.size() - data_begin_);
}

void SafetensorsFile::parse_header(const std::string& header, uint64_t data_size) {
    require(header.front() == '{', "the header does not begin with '{'; this is not a safetensors file");
    const Json json = parse_json(header, kHeaderDepth, "the header");
    for (const auto& [name, value] : json.items()) {
        if (name != "__metadata__") {
            entries_.push_back(entry_of(name, value, data_size));
            continue;
        }
        require(value.is_object(), "__metadata__ is not an object");
        for (const auto& [key, text] : value.items()) {
            require(text.is_string(), "__metadata__ must hold strings; not a string: ", quoted(key));
            metadata_[key] = text.get<std::string>();
        }
    }
    std::sort(entries_.begin(), entries_.end(),
              [](const Entry& a, const Entry& b) { return a.begin != b.begin ? a.begin < b.begin : a.end < b.end; });
    uint64_t end = 0;
    for (size_t i = 0; i < entries_.size(); ++i) {
        const Entry& entry = entries_[i];
        require(entry.begin == end, "tensor ", quoted(entry.name), " begins at byte ", entry.begin, " and not at ", end,
                ", where the one before it ends");
        end = entry.end;
        index_.emplace(entry.name, i);
    }
    require(end == data_size, "the tensors take ", end, " bytes, but the file has ", data_size, " bytes of data");
}

const SafetensorsFile::Entry* SafetensorsFile::find(const std::string& name) const {
    const auto found = index_.find(name);
    return found == index_.end() ? nullptr : &entries_[found->second];
}

void SafetensorsFile::read(const Entry& entry, float* out) const {
    require(entry.type == "F32", "tensor ", quoted(entry.name), " is of type ", entry.type,
            ", expected F32; convert it to float32");
    file_.read_at(data_begin_ + entry.begin, out, entry.end - entry.begin);
}

StagedTensor::StagedTensor(const SafetensorsFile& file, const std::string& name, int64_t count)
    : values_(static_cast<size_t>(count)) {
    file.read(*file.find(name), values_.data());
}

void StagedTensor::commit(float* place) const noexcept {
    std::copy(values_.begin(), values_.end(), place);
}

void write_safetensors(const std::string& path, const std::vector<NamedTensor>& tensors, const Metadata& metadata,
                       bool overwrite) {
    Json json = Json::object();
    if (!metadata.empty()) json["__metadata__"] = metadata;
    uint64_t end = 0;
    for (const NamedTensor& tensor : tensors) {
        require(!json.contains(tensor.name), "two tensors are named ", quoted(tensor.name));
        const uint64_t begin = end;
        end += sizeof(float) * static_cast<uint64_t>(element_count(tensor.shape));
        json[tensor.name] = {{"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {begin, end}}};
    }
    std::string header = dump_json(json);
    header.resize((kLengthBytes + header.size() + kAlignment - 1) / kAlignment * kAlignment - kLengthBytes, ' ');
    require(header.size() <= kMaxHeaderBytes, "the metadata make a header of ", header.size(),
            " bytes; the format allows ", kMaxHeaderBytes);

    unsigned char length[kLengthBytes];
    for (uint64_t i = 0; i < kLengthBytes; ++i) length[i] = static_cast<unsigned char>(header.size() >> (8 * i));
    AtomicFile file(path, overwrite);
    file.write(length, kLengthBytes);
    file.write(header.data(), header.size());
    for (const NamedTensor& tensor : tensors)
        file.write(tensor.data, sizeof(float) * static_cast<size_t>(element_count(tensor.shape)));
    file.commit();
}

}  // namespace striate::io
