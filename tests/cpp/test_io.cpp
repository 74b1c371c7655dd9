// Model files: what is written is read back bit for bit, files appear whole or not at all, and nothing that a damaged
// or hostile file says leads to more than an error.
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <new>

#include "check.hpp"
#include "io/safetensors.hpp"
#include "striate/error.hpp"
#include "striate/io.hpp"
#include "weights.hpp"

using namespace striate;
using namespace striate::test;

// The largest single request for memory since it was last set to 0.
namespace {
size_t largest_request = 0;

void* watched(size_t bytes, size_t alignment) {
    largest_request = std::max(largest_request, bytes);
    void* memory = nullptr;
    if (posix_memalign(&memory, std::max(alignment, sizeof(void*)), bytes ? bytes : 1) != 0) throw std::bad_alloc();
    return memory;
}
}  // namespace
[[gnu::noinline]] void* operator new(size_t bytes) {
    return watched(bytes, alignof(std::max_align_t));
}
[[gnu::noinline]] void* operator new(size_t bytes, std::align_val_t alignment) {
    return watched(bytes, static_cast<size_t>(alignment));
}
[[gnu::noinline]] void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
    try {
        return operator new(bytes);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}
[[gnu::noinline]] void operator delete(void* p, const std::nothrow_t&) noexcept {
    std::free(p);
}
[[gnu::noinline]] void operator delete(void* p) noexcept {
    std::free(p);
}
[[gnu::noinline]] void operator delete(void* p, size_t) noexcept {
    std::free(p);
}
[[gnu::noinline]] void operator delete(void* p, std::align_val_t) noexcept {
    std::free(p);
}
[[gnu::noinline]] void operator delete(void* p, size_t, std::align_val_t) noexcept {
    std::free(p);
}

namespace {

namespace fs = std::filesystem;

// A folder of its own for each run.
struct Folder {
    Folder() {
        std::string pattern = (fs::temp_directory_path() / "striate-test-XXXXXX").string();
        if (!mkdtemp(pattern.data())) std::abort();
        path = pattern;
    }
    ~Folder() { fs::remove_all(path); }
    std::string operator/(const std::string& name) const { return path + "/" + name; }
    size_t count() const {
        return static_cast<size_t>(std::distance(fs::directory_iterator(path), fs::directory_iterator()));
    }
    std::string path;
};

std::string read_bytes(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}
void write_bytes(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

std::string length_bytes(uint64_t length) {
    std::string bytes;
    for (int i = 0; i < 8; ++i) bytes += static_cast<char>(length >> (8 * i));
    return bytes;
}
std::string file_bytes(const std::string& header, size_t data_bytes) {
    return length_bytes(header.size()) + header + std::string(data_bytes, '\0');
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    const size_t at = text.find(from);
    REQUIRE_MESSAGE(at != std::string::npos, "nothing to replace: ", from, " in ", text);
    return text.replace(at, from.size(), to);
}

Config config(std::initializer_list<Config::Entry> entries) {
    Config made;
    for (const auto& [name, value] : entries) made.set(name, value);
    return made;
}

// ---- the format

void format_round_trip(const Folder& folder) {
    const std::vector<float> a = {
        1.5f, -0.0f, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), 1e-45f, 3};
    const std::vector<float> b = {7};
    const std::string path = folder / "t.safetensors";
    io::write_safetensors(path, {{"a", {2, 3}, a.data()}, {"empty", {0, 4}, nullptr}, {"scalar", {}, b.data()}},
                          {{"key", "value \"quoted\" \n \xc3\xa9"}});
    const io::SafetensorsFile file(path);
    CHECK(file.entries().size() == 3);
    CHECK(file.metadata().size() == 1);
    CHECK(file.metadata().at("key") == "value \"quoted\" \n \xc3\xa9");
    CHECK(file.find("a")->shape == Shape({2, 3}));
    CHECK(file.find("empty")->shape == Shape({0, 4}));
    CHECK(file.find("scalar")->shape.empty());
    CHECK(file.find("b") == nullptr);
    std::vector<float> back(6);
    file.read(*file.find("a"), back.data());
    CHECK(std::memcmp(back.data(), a.data(), sizeof(float) * 6) == 0);
    file.read(*file.find("scalar"), back.data());
    CHECK(back[0] == 7);

    const std::string bytes = read_bytes(path);
    uint64_t header = 0;
    for (int i = 7; i >= 0; --i) header = header << 8 | static_cast<unsigned char>(bytes[i]);
    CHECK((8 + header) % 64 == 0);
    CHECK(bytes.size() == 8 + header + 28);

    CHECK_THROWS_WITH_AS(io::write_safetensors(path, {{"a", {1}, b.data()}, {"a", {1}, b.data()}}, {}),
                         Contains("two tensors are named 'a'"), ValueError);
    CHECK_THROWS_WITH_AS(io::write_safetensors(path, {{"\xff", {1}, b.data()}}, {}), Contains("not valid UTF-8"),
                         ValueError);
    CHECK_THROWS_WITH_AS(io::write_safetensors(path, {}, {{"k", std::string(100'000'001, 'x')}}),
                         Contains("the format allows 100000000"), ValueError);
    CHECK(read_bytes(path) == bytes);
    CHECK(folder.count() == 1);
}

struct Damaged {
    const char* header;
    size_t data;
    const char* message;
};

void format_damage(const Folder& folder) {
    const std::string path = folder / "t.safetensors";
    const auto refuse = [&](const std::string& bytes, const char* message) {
        write_bytes(path, bytes);
        largest_request = 0;
        CHECK_THROWS_WITH_AS(io::SafetensorsFile{path}, Contains(message), ValueError);
        CHECK(largest_request <= 64 * bytes.size() + 65536);
    };
    refuse("", "too few for a safetensors file");
    refuse("12345678", "the file has 8 bytes");
    refuse(length_bytes(0) + "{}", "claims a header of 0 bytes in a file of 10");
    refuse(length_bytes(3) + "{}", "claims a header of 3 bytes in a file of 10");
    refuse(length_bytes(UINT64_MAX) + "{}", "claims a header of 18446744073709551615 bytes");
    refuse(length_bytes(99'999'999) + "{}", "claims a header of 99999999 bytes");
    refuse("\x89PNG\r\n\x1a\n0000000000", "not a safetensors file");
    refuse(file_bytes("[1]", 0), "does not begin with '{'");
    refuse(file_bytes(" {}", 0), "does not begin with '{'");
    refuse(file_bytes("{}", 4), "the tensors take 0 bytes, but the file has 4 bytes of data");

    const Damaged cases[] = {
        {"{ ", 0, "the header is not valid JSON: the error is at byte"},
        {"{}}", 0, "not valid JSON"},
        {"{'a':1}", 0, "not valid JSON"},
        {"{\"a\":1e999}", 0, "a number is out of range"},
        {"{\"a\xff\":1}", 0, "not valid JSON"},
        {R"({"a":1})", 0, "tensor 'a' is not an object"},
        {R"({"a":{}})", 0, "tensor 'a' has no 'dtype'"},
        {R"({"a":{"dtype":3}})", 0, "tensor 'a': 'dtype' is not a string"},
        {R"({"a":{"dtype":"F32"}})", 0, "tensor 'a' has no 'shape'"},
        {R"({"a":{"dtype":"F32","shape":1}})", 0, "tensor 'a': 'shape' is not a list"},
        {R"({"a":{"dtype":"F32","shape":[1]}})", 4, "tensor 'a' has no 'data_offsets'"},
        {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}})", 4, "has 1 data_offsets instead of 2"},
        {R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4, "not an integer from 0"},
        {R"({"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}})", 4, "not an integer from 0"},
        {R"({"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,4]}})", 4, "not an integer from 0"},
        {R"({"a":{"dtype":"F32","shape":["1"],"data_offsets":[0,4]}})", 4, "not an integer from 0"},
        {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}})", 4, "claims the bytes 0 to 8 of 4 bytes of data"},
        {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4, "claims the bytes 4 to 0"},
        {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4, "does not take the 4 bytes that it claims"},
        {R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}})", 4,
         "more elements than 64 bits"},
        {R"({"a":{"dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4]}})", 4, "does not take the 4 bytes"},
        {R"({"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}})", 4, "unknown type 'F33'; did you mean 'F32'"},
        {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8, "begins at byte 4 and not at 0"},
        {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 8,
         "the tensors take 4 bytes, but the file has 8"},
        {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
         4, "tensor 'b' begins at byte 0 and not at 4"},
        {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})",
         12, "tensor 'b' begins at byte 8 and not at 4"},
        {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
         8, "the header has the key 'a' twice"},
        {R"({"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4, "has the key 'dtype' twice"},
        {R"({"__metadata__":[]})", 0, "__metadata__ is not an object"},
        {R"({"__metadata__":{"k":1}})", 0, "__metadata__ must hold strings; not a string: 'k'"},
        {R"({"a":[[[[[[1]]]]]]})", 0, "the header is nested too deeply"},
    };
    for (const Damaged& damaged : cases) refuse(file_bytes(damaged.header, damaged.data), damaged.message);
    refuse(file_bytes("{\"a\":" + std::string(1 << 20, '['), 0), "nested too deeply");
    std::string many = "{\"a\":[1";
    for (int i = 0; i < 1 << 21; ++i) many += ",1";
    refuse(file_bytes(many + "]}", 0), "the header has too many values");

    write_bytes(path, file_bytes(R"({"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}})", 8));
    const io::SafetensorsFile file(path);
    float out[2];
    CHECK_THROWS_WITH_AS(file.read(*file.find("a"), out), Contains("tensor 'a' is of type F64, expected F32"),
                         ValueError);
    write_bytes(path, file_bytes("{}   ", 0));
    CHECK(io::SafetensorsFile(path).entries().empty());
}

// ---- files

int code_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const FileError& error) {
        return error.code();
    }
    return 0;
}

void files(const Folder& folder) {
    const float value = 1;
    const auto write = [&](const std::string& path) { io::write_safetensors(path, {{"a", {1}, &value}}, {}); };
    const auto read = [](const std::string& path) { io::SafetensorsFile file(path); };
    CHECK(code_of([&] { read(folder / "none"); }) == ENOENT);
    CHECK(code_of([&] { read(folder.path); }) == EISDIR);
    CHECK_THROWS_WITH_AS(
        read(folder / "none"),
        Contains(("cannot open the file (No such file or directory): '" + folder.path + "/none'").c_str()), FileError);
    CHECK(code_of([&] { write(folder / "none/x"); }) == ENOENT);
    CHECK(code_of([&] { write(folder.path); }) == EISDIR);
    CHECK_THROWS_WITH_AS(write(folder / "none/x"), Contains("cannot write the file (No such file or directory)"),
                         FileError);
    const std::string pipe = folder / "pipe";
    CHECK(mkfifo(pipe.c_str(), 0600) == 0);
    CHECK(code_of([&] { read(pipe); }) == EINVAL);
    CHECK(code_of([&] { write(pipe); }) == ENXIO);
    fs::remove(pipe);
    CHECK(folder.count() == 0);

    struct stat status;
    const std::string path = folder / "m";
    const mode_t mask = umask(027);
    write(path);
    umask(mask);
    CHECK(stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0640);
    chmod(path.c_str(), 0604);
    write(path);
    CHECK(stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0604);

    const std::string link = folder / "link";
    fs::create_symlink("m", link);
    write_bytes(path, "old");
    write(link);
    CHECK(fs::is_symlink(link));
    CHECK(io::SafetensorsFile(path).entries().size() == 1);
    fs::remove(link);

    // A write that fails half way leaves the old file, and nothing else.
    const std::string before = read_bytes(path);
    const std::vector<float> large(100000, 1.0f);
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit old_limit;
    getrlimit(RLIMIT_FSIZE, &old_limit);
    const rlimit limit{4096, old_limit.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
    CHECK(code_of([&] { io::write_safetensors(path, {{"a", {100000}, large.data()}}, {}); }) == EFBIG);
    setrlimit(RLIMIT_FSIZE, &old_limit);
    CHECK(read_bytes(path) == before);
    CHECK(folder.count() == 1);

    const fs::path working = fs::current_path();
    fs::current_path(folder.path);
    write("relative");
    CHECK(fs::exists(folder / "relative"));
    fs::current_path(working);
}

// ---- models

// Two inputs, a shared layer, batch normalisation, a sum and two outputs.
Model make_network(uint64_t seed) {
    const Symbol a = input({6, 6, 2}, "left"), b = input({6, 6, 2}, "right");
    const LayerPtr shared = make_layer(
        "Conv2D", config({{"filters", int64_t{3}}, {"kernel_size", int64_t{3}}, {"padding", std::string("same")}}), "");
    const Symbol sum =
        striate::apply(make_layer("Add", Config(), ""), {striate::apply(shared, {a}), striate::apply(shared, {b})});
    const Symbol normalised = striate::apply(make_layer("BatchNormalization", Config(), ""), {sum});
    const Symbol active =
        striate::apply(make_layer("Activation", config({{"activation", std::string("relu")}}), ""), {normalised});
    const Symbol flat = striate::apply(make_layer("Flatten", Config(), ""), {active});
    const Symbol out = striate::apply(make_layer("Dense", config({{"units", int64_t{4}}}), "head"), {flat});
    return Model({a, b}, {out, active}, seed);
}

bool same_weights(const Model& a, const Model& b) {
    if (a.parameters().size() != b.parameters().size()) return false;
    for (const Graph::LayerEntry& entry : a.graph().layers)
        if (a.trainable(entry.name) != b.trainable(entry.name)) return false;
    for (size_t i = 0; i < a.parameters().size(); ++i) {
        const ParameterInfo &p = a.parameters()[i], &q = b.parameters()[i];
        if (p.name != q.name || p.shape != q.shape) return false;
        const std::vector<float> v = value_of(a, i), w = value_of(b, i);
        if (std::memcmp(v.data(), w.data(), sizeof(float) * v.size()) != 0) return false;
    }
    return true;
}

std::vector<Tensor> outputs_of(const Model& model) {
    Tensor x({3, 6, 6, 2}), y({3, 6, 6, 2});
    for (int64_t i = 0; i < x.size(); ++i) {
        x.data()[i] = static_cast<float>(i % 7) - 3;
        y.data()[i] = static_cast<float>(i % 5) * 0.5f;
    }
    return model.predict({x, y});
}

bool same_outputs(const Model& a, const Model& b) {
    const std::vector<Tensor> p = outputs_of(a), q = outputs_of(b);
    for (size_t i = 0; i < p.size(); ++i)
        if (p[i].shape() != q[i].shape() ||
            std::memcmp(p[i].data(), q[i].data(), sizeof(float) * static_cast<size_t>(p[i].size())) != 0)
            return false;
    return p.size() == 2 && q.size() == 2;
}

void models(const Folder& folder) {
    const std::string path = folder / "model.safetensors", weights = folder / "weights.safetensors";
    Model model = make_network(12345678901234567890u);
    std::vector<float> value = value_of(model, 0);
    value[0] = -0.0f, value[1] = 1e-42f;
    model.write_parameter(0, value.data());
    model.set_trainable("conv2d", false);
    save_model(model, path, {{"note", "ten epochs"}});

    Metadata extra{{"old", "entry"}};
    Model loaded = load_model(path, &extra);
    CHECK(extra == Metadata({{"note", "ten epochs"}}));
    CHECK(same_weights(model, loaded));
    CHECK(same_outputs(model, loaded));
    CHECK(loaded.seed() == 12345678901234567890u);
    CHECK(!loaded.trainable("conv2d"));
    CHECK(loaded.trainable("head"));
    CHECK(architecture_json(loaded) == architecture_json(model));
    CHECK(loaded.graph().inputs == model.graph().inputs);
    CHECK(loaded.graph().outputs == model.graph().outputs);
    CHECK(same_weights(model, load_model(path)));

    const Model rebuilt = model_from_json(architecture_json(model), model.seed());
    CHECK(architecture_json(rebuilt) == architecture_json(model));
    CHECK(!same_weights(rebuilt, model));
    CHECK(same_weights(model_from_json(architecture_json(model), 7), model_from_json(architecture_json(model), 7)));

    Model other = make_network(2);
    CHECK(!same_outputs(model, other));
    save_weights(model, weights);
    load_weights(other, weights);
    CHECK(same_outputs(model, other));
    load_weights(other, path);
    CHECK(same_outputs(model, other));

    CHECK_THROWS_WITH_AS(
        load_model(weights),
        Contains(("cannot load '" + weights + "': the file holds weights without an architecture").c_str()),
        ValueError);
    CHECK_THROWS_WITH_AS(save_model(model, path, {{"striate", "x"}}),
                         Contains("the metadata key 'striate' is the architecture's"), ValueError);
    CHECK(code_of([&] { load_model(folder / "none"); }) == ENOENT);

    // Files with other weights than the model's.
    const std::string right = read_bytes(weights);
    const auto refuse = [&](const std::string& from, const std::string& to, const char* message) {
        write_bytes(weights, replaced(right, from, to));
        const std::vector<Tensor> before = outputs_of(other);
        CHECK_THROWS_WITH_AS(load_weights(other, weights), Contains(message), ValueError);
        CHECK(same_outputs(model, other));
    };
    refuse("head/kernel", "head/kernal", "the file has no tensor 'head/kernel', which the model needs");
    refuse("[108,4]", "[4,108]", "tensor 'head/kernel' has shape (4, 108) in the file, and the model needs (108, 4)");
    refuse("\"F32\"", "\"I32\"", "is of type I32 in the file, and the model needs F32");
    std::vector<io::NamedTensor> tensors;
    std::vector<std::vector<float>> values;
    for (size_t i = 0; i < model.parameters().size(); ++i) values.push_back(value_of(model, i));
    for (size_t i = 0; i < values.size(); ++i)
        tensors.push_back({model.parameters()[i].name, model.parameters()[i].shape, values[i].data()});
    tensors.push_back({"head/kernels", {1}, values[0].data()});
    io::write_safetensors(weights, tensors, {});
    CHECK_THROWS_WITH_AS(
        load_weights(other, weights),
        Contains("the file has a tensor 'head/kernels', which fits no weight of the model; did you mean 'head/kernel'"),
        ValueError);
}

// An infinite argument and an argument that is null survive the file.
void arguments(const Folder& folder) {
    const Symbol in = input({4});
    const LayerPtr relu = make_layer(
        "ReLU", config({{"max_value", std::numeric_limits<double>::infinity()}, {"negative_slope", 0.1}}), "");
    save_model(Model({in}, {striate::apply(relu, {in})}, 1), folder / "relu");
    const Model loaded = load_model(folder / "relu");
    const Config back = loaded.graph().layers[1].layer->config();
    CHECK(std::get<double>(*back.find("max_value")) == std::numeric_limits<double>::infinity());
    CHECK(std::get<double>(*back.find("negative_slope")) == 0.1);
}

// ---- hostile architectures

TEST_CASE("a damaged or hostile architecture is an error") {
    const std::string right = architecture_json(make_network(1));
    const auto refuse = [&](const std::string& from, const std::string& to, const char* message) {
        largest_request = 0;
        INFO("with ", to);
        CHECK_THROWS_WITH_AS(model_from_json(replaced(right, from, to), 1), Contains(message), ValueError);
        CHECK(largest_request < 1 << 20);
    };
    CHECK_THROWS_WITH_AS(model_from_json("", 1), Contains("the architecture is not valid JSON"), ValueError);
    CHECK_THROWS_WITH_AS(model_from_json("[]", 1), Contains("the architecture is not an object"), ValueError);
    CHECK_THROWS_WITH_AS(model_from_json("{}", 1), Contains("the architecture has no 'format'"), ValueError);
    CHECK_THROWS_WITH_AS(model_from_json(std::string(1 << 20, '['), 1), Contains("nested too deeply"), ValueError);
    refuse("\"format\":\"striate\"", "\"format\":\"other\"", "is of the format 'other', expected 'striate'");
    refuse("\"version\":1", "\"version\":3", "is of version 3, and this striate reads versions up to 2");
    refuse("{\"inputs\":[],", "{\"inference\":1,\"inputs\":[],", "'inference' is neither true nor false");
    refuse("\"version\":1", "\"version\":-1", "'version' is not a positive integer");
    refuse("\"seed\":1", "\"seed\":-1", "'seed' is not an integer");
    refuse("\"seed\":1", "\"seed\":1,\"seed\":2", "has the key 'seed' twice");
    refuse("\"layers\":[", "\"layers\":[3,", "layer 0 is not an object");
    refuse("\"type\":\"Conv2D\"", "\"type\":\"Conv9D\"", "there is no layer type 'Conv9D'; did you mean 'Conv2D'");
    refuse("\"filters\":3", "\"filters\":3.0", "[conv2d] filters must be an integer");
    refuse("\"filters\":3", "\"filters\":null", "[conv2d] filters must be an integer, got none");
    refuse("\"filters\":3", "\"filters\":-3", "[conv2d] filters");
    refuse("\"filters\":3", "\"filters\":{\"$float\":\"x\"}", "layer 'conv2d' has an unknown number 'x'");
    refuse("\"filters\":3", "\"filters\":18446744073709551615", "an integer of more than 64 bits");
    refuse("\"filters\":3", "\"filters\":[\"3\"]", "layer 'conv2d' has a list with an element that is not a number");
    refuse("\"filters\":3", "\"filtres\":3", "[conv2d] has no argument 'filtres'; did you mean 'filters'?");
    refuse("\"filters\":3", "\"filters\":9223372036854775807", "");
    refuse("\"name\":\"conv2d\"", "\"name\":\"\"", "has an empty name");
    refuse("\"name\":\"conv2d\"", "\"name\":\"head\"", "two layers are named 'head'");
    refuse("\"name\":\"conv2d\"", "\"name\":\"a/b\"", "contains '/'");
    refuse("\"nodes\":[{\"inputs\":[]", "\"nodes\":[{\"inputs\":[0]",
           "node 0: an input is not an integer from 0 to -1");
    refuse("\"nodes\":[{\"inputs\":[],\"layer\":0}", "\"nodes\":[{\"inputs\":[],\"layer\":99}",
           "node 0: 'layer' is not an integer from 0 to 7");
    refuse("\"nodes\":[{\"inputs\":[],\"layer\":0}", "\"nodes\":[{\"inputs\":[],\"layer\":2}",
           "[conv2d] needs an input");
    refuse("\"inputs\":[0,1],", "\"inputs\":[0,0],", "");
    refuse("\"outputs\":[", "\"outputs\":[99,", "one of the outputs is not an integer from 0 to 8");
    refuse("\"outputs\":[", "\"outputs\":[-1,", "one of the outputs is not an integer");
    refuse("\"frozen\":[", "\"frozen\":[\"nobody\"", "the model has no layer 'nobody'");
    refuse("\"frozen\":[", "\"frozen\":[1", "'frozen' must hold names of layers");

    std::string many = "\"filters\":3";
    for (int i = 0; i < 300; ++i) many += ",\"a" + std::to_string(i) + "\":1";
    refuse("\"filters\":3", many, "layer 'conv2d' has too many arguments");
}

// ---- random damage

constexpr size_t kFuzzMemory = size_t{4} << 20;

// A valid file, an error that says what is wrong, and nothing else.
void survive(const std::string& path, const std::string& bytes, const char* what, int round) {
    write_bytes(path, bytes);
    largest_request = 0;
    try {
        const Model model = load_model(path);
        CHECK(model.graph().layers.size() <= 100);
    } catch (const ValueError&) {
    } catch (const FileError&) {
    } catch (const std::exception& error) {
        FAIL_CHECK(what, " round ", round, " threw ", error.what());
    }
    CHECK_MESSAGE(largest_request <= kFuzzMemory, what, " round ", round, " asked for ", largest_request, " bytes");
}

void fuzz(const Folder& folder) {
    const std::string path = folder / "fuzz";
    save_model(make_network(1), path);
    const std::string right = read_bytes(path);
    const size_t header = right.find("}}", right.rfind("data_offsets")) + 2;
    check::Random random(2024);
    const auto place = [&](size_t end) {
        return static_cast<size_t>(random.integer(0, static_cast<int64_t>(end) - 1));
    };
    const char* pieces[] = {"0",          "-1",
                            "1e30",       "9223372036854775807",
                            "4294967296", "2147483647",
                            "65536",      "null",
                            "true",       "[]",
                            "{}",         "\"\"",
                            "[1,2]",      "[9223372036854775807,9223372036854775807]",
                            "1000000"};
    for (int round = 0; round < 3000; ++round) {
        std::string flipped = right;
        for (int64_t i = random.integer(1, 3); i > 0; --i)
            flipped[place(header)] ^= static_cast<char>(1 << random.integer(0, 7));
        survive(path, flipped, "flip", round);
    }
    for (int round = 0; round < 500; ++round) survive(path, right.substr(0, place(right.size())), "truncation", round);
    for (int round = 0; round < 500; ++round) {
        std::string grown = right;
        const size_t from = place(header);
        grown.insert(place(header), right.substr(from, place(64)));
        survive(path, grown, "insertion", round);
    }
    // Numbers within the JSON, replaced; the header's length is put right, so that what follows it is reached.
    for (int round = 0; round < 4000; ++round) {
        std::string text = right.substr(8, header - 8);
        for (int64_t i = random.integer(1, 2); i > 0; --i) {
            size_t begin = place(text.size());
            while (begin < text.size() && !std::isdigit(static_cast<unsigned char>(text[begin]))) ++begin;
            size_t end = begin;
            while (end < text.size() && std::isdigit(static_cast<unsigned char>(text[end]))) ++end;
            if (begin < end) text.replace(begin, end - begin, pieces[place(std::size(pieces))]);
        }
        survive(path, length_bytes(text.size()) + text + right.substr(header), "number", round);
    }
}

}  // namespace

TEST_CASE("files of tensors are read back bit for bit") {
    const Folder folder;
    format_round_trip(folder);
}

TEST_CASE("a damaged file of tensors is an error") {
    const Folder folder;
    format_damage(folder);
}

TEST_CASE("files are written whole or not at all") {
    const Folder folder;
    files(folder);
}

TEST_CASE("models and weights are read back bit for bit") {
    const Folder folder;
    models(folder);
}

TEST_CASE("infinite and null arguments are read back") {
    const Folder folder;
    arguments(folder);
}

TEST_CASE("a randomly damaged file is read or refused, without large allocations") {
    const Folder folder;
    fuzz(folder);
}
