// Configs: kinds, conversions that are allowed and those that are not, and the messages about unknown arguments.
#include <limits>

#include "check.hpp"
#include "striate/config.hpp"
#include "striate/layer.hpp"
#include "striate/loss.hpp"
#include "striate/losses/weighted_sum.hpp"
#include "striate/optimizer.hpp"
#include "striate/tensor.hpp"
#include "suggest.hpp"

using namespace striate;

namespace {

struct Options {
    int64_t filters = 1;
    Pair kernel_size{3, 3};
    double alpha = 0.25;
    std::string padding = "valid";
    bool use_bias = true;
    std::optional<double> max_value;
    std::vector<int64_t> shape;
    std::vector<double> mean;
    ConfigPtr inner;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("filters", self.filters);
        visit("kernel_size", self.kernel_size);
        visit("alpha", self.alpha);
        visit("padding", self.padding);
        visit("use_bias", self.use_bias);
        visit("max_value", self.max_value);
        visit("shape", self.shape);
        visit("mean", self.mean);
        visit("inner", self.inner);
    }
};

Options read(const std::string& name, ConfigValue value) {
    Config config;
    config.set(name, std::move(value));
    return read_fields<Options>(config, "conv2d");
}

using Integers = std::vector<int64_t>;
using Numbers = std::vector<double>;

TEST_CASE("a config keeps its entries in order, and the last value of a name") {
    Config config;
    config.set("b", 1.5);
    config.set("a", true);
    config.set("b", std::string("later"));
    CHECK(config.entries().size() == 2);
    CHECK(config.entries()[0].first == "b");
    CHECK(std::get<std::string>(config.entries()[0].second) == "later");
    REQUIRE(config.find("a"));
    CHECK(std::get<bool>(*config.find("a")));
    CHECK(config.find("c") == nullptr);
}

TEST_CASE("fields that are written to a config are read back") {
    Options options;
    options.filters = 7;
    options.kernel_size = {3, 5};
    options.alpha = 0.1;
    options.padding = "same";
    options.use_bias = false;
    options.max_value = 6.0;
    options.shape = {1, -1};
    options.mean = {0.5, 2};
    auto inner = std::make_shared<Config>();
    inner->set("type", std::string("CosineDecay"));
    options.inner = inner;
    const Options back = read_fields<Options>(write_fields(options), "conv2d");
    CHECK(back.filters == 7);
    CHECK(back.kernel_size == Pair(3, 5));
    CHECK(back.alpha == 0.1);
    CHECK(back.padding == "same");
    CHECK(!back.use_bias);
    CHECK(back.max_value == 6.0);
    CHECK(back.shape == options.shape);
    CHECK(back.mean == options.mean);
    CHECK(back.inner == options.inner);

    const Options defaults = read_fields<Options>(Config(), "conv2d");
    CHECK(defaults.filters == 1);
    CHECK(defaults.kernel_size == Pair(3, 3));
    CHECK(!defaults.max_value);
    CHECK(defaults.use_bias);
    CHECK(!read_fields<Options>(write_fields(defaults), "conv2d").max_value);
}

TEST_CASE("values are converted to the type of a field where nothing is lost") {
    CHECK(read("alpha", int64_t{3}).alpha == 3.0);
    CHECK(read("kernel_size", int64_t{5}).kernel_size == Pair(5, 5));
    CHECK(read("kernel_size", Integers{2, 4}).kernel_size == Pair(2, 4));
    CHECK(read("mean", Integers{1, 2}).mean == Numbers({1, 2}));
    CHECK(read("mean", 0.5).mean == Numbers({0.5}));
    CHECK(read("mean", int64_t{2}).mean == Numbers({2}));
    CHECK(read("shape", int64_t{4}).shape == Integers({4}));
    CHECK(read("shape", Numbers{}).shape.empty());
    CHECK(read("max_value", ConfigValue()).max_value == std::nullopt);
    CHECK(read("max_value", int64_t{6}).max_value == 6.0);
    CHECK(read("inner", ConfigValue()).inner == nullptr);
}

TEST_CASE("a value of a wrong type or range is an error that names the argument") {
    CHECK_THROWS_WITH_AS(read("filters", 3.0), Contains("[conv2d] filters must be an integer, got number 3"),
                         TypeError);
    CHECK_THROWS_WITH_AS(read("filters", 2.5), Contains("got number 2.5"), TypeError);
    CHECK_THROWS_WITH_AS(read("filters", true), Contains("[conv2d] filters must be an integer, got boolean true"),
                         TypeError);
    CHECK_THROWS_WITH_AS(read("filters", ConfigValue()), Contains("must be an integer, got none"), TypeError);
    CHECK_THROWS_WITH_AS(read("filters", Integers({3})), Contains("got list of integers [3]"), TypeError);
    CHECK_THROWS_WITH_AS(read("alpha", true), Contains("[conv2d] alpha must be a number, got boolean true"), TypeError);
    CHECK_THROWS_WITH_AS(read("alpha", std::string("x")), Contains("got string 'x'"), TypeError);
    CHECK_THROWS_WITH_AS(read("use_bias", int64_t{1}), Contains("[conv2d] use_bias must be a boolean, got integer 1"),
                         TypeError);
    CHECK_THROWS_WITH_AS(read("padding", int64_t{1}), Contains("[conv2d] padding must be a string, got integer 1"),
                         TypeError);
    CHECK_THROWS_WITH_AS(
        read("kernel_size", Integers({1, 2, 3})),
        Contains(
            "[conv2d] kernel_size must be an integer or two integers (height, width), got list of integers [1, 2, 3]"),
        ValueError);
    CHECK_THROWS_WITH_AS(read("kernel_size", Numbers({1, 2})), Contains("got list of numbers [1, 2]"), TypeError);
    CHECK_THROWS_WITH_AS(read("kernel_size", 3.0), Contains("an integer or two integers"), TypeError);
    CHECK_THROWS_WITH_AS(read("shape", Numbers({1})), Contains("[conv2d] shape must be a list of integers"), TypeError);
    CHECK_THROWS_WITH_AS(read("mean", std::string("0")), Contains("[conv2d] mean must be a list of numbers"),
                         TypeError);
    constexpr int64_t kHigh = std::numeric_limits<int64_t>::max(), kLow = std::numeric_limits<int64_t>::min();
    CHECK_THROWS_WITH_AS(
        read("filters", kHigh),
        Contains("[conv2d] filters must be from -9007199254740992 to 9007199254740992, got 9223372036854775807"),
        ValueError);
    CHECK_THROWS_WITH_AS(read("filters", kLow), Contains("got -9223372036854775808"), ValueError);
    CHECK(read("filters", int64_t{1} << 53).filters == int64_t{1} << 53);
    CHECK_THROWS_WITH_AS(read("shape", Integers({1, kHigh})), Contains("[conv2d] shape must be from"), ValueError);
    CHECK_THROWS_WITH_AS(read("kernel_size", int64_t{1} << 31),
                         Contains("[conv2d] kernel_size must be from -2147483647 to 2147483647"), ValueError);
    CHECK_THROWS_WITH_AS(read("kernel_size", Integers({1, kLow})), Contains("kernel_size must be from"), ValueError);
    CHECK_THROWS_WITH_AS(read("inner", int64_t{1}), Contains("[conv2d] inner must be a group of arguments"), TypeError);
    CHECK_THROWS_WITH_AS(read("padding", Numbers(100, 1.0)),
                         Contains("got list of numbers [1, 1, 1, 1, 1, 1, 1, 1, ...]"), TypeError);
}

TEST_CASE("an unknown argument or type is an error with a suggestion") {
    CHECK_THROWS_WITH_AS(read("filer", int64_t{1}),
                         Contains("[conv2d] has no argument 'filer'; did you mean 'filters'?"), ValueError);
    CHECK_THROWS_WITH_AS(read("KernelSize", int64_t{1}), Contains("did you mean 'kernel_size'?"), ValueError);
    CHECK_THROWS_WITH_AS(read("dropout", int64_t{1}),
                         Contains("[conv2d] has no argument 'dropout'; choose one of: filters, kernel_size"),
                         ValueError);
    CHECK_THROWS_WITH_AS(read(std::string(1 << 20, 'f'), int64_t{1}), Contains("has no argument 'ffff"), ValueError);
    CHECK_THROWS_WITH_AS(make_layer("Conv3D", Config(), ""), Contains("there is no layer type 'Conv3D'"), ValueError);
    CHECK_THROWS_WITH_AS(make_layer("InputLayr", Config(), ""), Contains("did you mean 'InputLayer'?"), ValueError);
    CHECK_THROWS_WITH_AS(make_loss("nothing like it", Config()), Contains("there is no loss type 'nothing like it'"),
                         ValueError);
    CHECK_THROWS_WITH_AS(make_optimizer("nothing like it", Config()), Contains("there is no optimizer type"),
                         ValueError);
    CHECK_THROWS_WITH_AS(make_schedule("nothing like it", Config()),
                         Contains("there is no learning-rate schedule type"), ValueError);
}

// Every row of every table makes its type again from what it says of itself.
TEST_CASE("each registered type is made again from its own config") {
    for (const std::string& type : loss_types()) {
        if (type == WeightedSum::kType) continue;
        CHECK(make_loss(type, make_loss(type, Config())->config())->type() == type);
    }
    const LossPtr sum = WeightedSum::of({make_loss("MeanSquaredError", Config()), make_loss("Huber", Config())});
    CHECK(make_loss(sum->type(), sum->config())->type() == WeightedSum::kType);
    CHECK_THROWS_WITH_AS(make_loss(WeightedSum::kType, Config()), Contains("needs at least one loss"), ValueError);
    for (const std::string& type : optimizer_types())
        CHECK(make_optimizer(type, make_optimizer(type, Config())->config())->type() == type);
    std::vector<std::string> seen;
    for (const std::string& type : layer_types()) {
        CHECK(std::find(seen.begin(), seen.end(), type) == seen.end());
        seen.push_back(type);
    }
    CHECK(std::find(seen.begin(), seen.end(), "InputLayer") != seen.end());
}

TEST_CASE("edit distances, suggestions and quoted texts") {
    CHECK(edit_distance("", "") == 0);
    CHECK(edit_distance("abc", "") == 3);
    CHECK(edit_distance("", "ab") == 2);
    CHECK(edit_distance("kitten", "sitting") == 3);
    CHECK(edit_distance("ab", "ba") == 1);
    CHECK(edit_distance("Conv2D", "conv2d") == 0);
    CHECK(nearest_names("conv", {"dense", "conv2d"}) == std::vector<std::string>({"conv2d"}));
    CHECK(nearest_names("xyz", {"dense", "conv2d"}).empty());
    CHECK(nearest_names("", {"a"}).empty());
    CHECK(suggestion("dens", {"dense", "conv2d"}) == "did you mean 'dense'?");
    CHECK(suggestion("relu1", {"relu", "relu6", "elu"}) == "did you mean 'relu' or 'relu6'?");
    CHECK(suggestion("q", {"a", "b"}) == "choose one of: a, b");
    CHECK(suggestion("q", {}) == "there is none");
    CHECK(quoted("a\nb") == "'a?b'");
    CHECK(quoted(std::string(100, 'x')).size() == 2 + 64 + 3);
}

TEST_CASE("shapes, tensors and element types") {
    CHECK(to_string({28, 28, 1}) == "(28, 28, 1)");
    CHECK(to_string({10}) == "(10,)");
    CHECK(to_string({}) == "()");
    CHECK(with_batch({28, 28, 1}) == "(N, 28, 28, 1)");
    CHECK(with_batch({10}) == "(N, 10)");
    CHECK(with_batch({}) == "(N,)");
    constexpr int64_t kBig = std::numeric_limits<int64_t>::max();
    CHECK(element_count({}) == 1);
    CHECK(element_count({3, 4, 5}) == 60);
    CHECK(element_count({kBig}) == kBig);
    CHECK(element_count({kBig, kBig, 0}) == 0);
    CHECK_THROWS_WITH_AS(element_count({kBig, 2}), Contains("more elements than 64 bits can count"), ValueError);
    CHECK_THROWS_WITH_AS(element_count({int64_t{1} << 32, int64_t{1} << 31}), Contains("more elements"), ValueError);
    CHECK_THROWS_WITH_AS(element_count({2, -1}), Contains("shape (2, -1) has a negative size"), ValueError);
    CHECK_THROWS_WITH_AS(element_count({0, -1}), Contains("negative size"), ValueError);
    CHECK_THROWS_AS(Tensor({kBig}), std::bad_alloc);
    constexpr size_t kMax = std::numeric_limits<size_t>::max();
    CHECK_THROWS_AS(AlignedBuffer{kMax}, std::bad_alloc);

    Tensor tensor({2, 3});
    CHECK(tensor.size() == 6);
    CHECK(reinterpret_cast<uintptr_t>(tensor.data()) % 64 == 0);
    for (int i = 0; i < 6; ++i) CHECK(tensor.data()[i] == 0.0f);
    const float* before = tensor.data();
    const Tensor moved = std::move(tensor);
    CHECK(moved.data() == before);
    CHECK(byte_size(DType::float32) == 4);
    CHECK(byte_size(DType::uint8) == 1);
    CHECK(byte_size(DType::int64) == 8);
    CHECK(std::string(name_of(DType::int32)) == "int32");
}

}  // namespace
