// Symbols and graphs: shape inference, names, what is collected, and the messages about what does not fit.
#include "check.hpp"
#include "striate/graph.hpp"
#include "striate/layers/input_layer.hpp"

using namespace striate;

namespace {

struct NoOptions {
    template <class Self, class Visitor>
    static void fields(Self&, Visitor&&) {}
};

// Wants a map and has a kernel as wide as its channels; gives as many channels as it got.
class Map : public LayerOf<Map, NoOptions> {
  public:
    static constexpr const char* kType = "Conv2D";
    explicit Map(std::string name = "") : LayerOf({}, std::move(name)) {}
    Shape infer(const std::vector<Shape>& inputs) const override { return single(inputs, 3, "(N, H, W, C)"); }
    std::vector<Parameter> parameters(const std::vector<Shape>& inputs) const override {
        return {{"kernel", {inputs[0].back()}}};
    }
    void emit(PlanContext&) const override {}
};

// Takes any number of inputs of one shape.
class Sum : public LayerOf<Sum, NoOptions> {
  public:
    static constexpr const char* kType = "Add";
    explicit Sum(std::string name = "") : LayerOf({}, std::move(name)) {}
    Shape infer(const std::vector<Shape>& inputs) const override {
        for (const Shape& shape : inputs)
            require(shape == inputs[0], "[", label(), "] expects equal shapes, got ", with_batch(inputs[0]), " and ",
                    with_batch(shape));
        return inputs[0];
    }
    void emit(PlanContext&) const override {}
};

// Gives whatever shape it is told.
class Reshaped : public Layer {
  public:
    explicit Reshaped(Shape shape, std::string name = "") : Layer(std::move(name)), shape_(std::move(shape)) {}
    std::string type() const override { return "Reshape"; }
    Config config() const override { return {}; }
    Shape infer(const std::vector<Shape>& inputs) const override { return single(inputs), shape_; }
    void emit(PlanContext&) const override {}

  private:
    Shape shape_;
};

class Flat : public Reshaped {
  public:
    Flat() : Reshaped({1}, "flat") {}
    Shape infer(const std::vector<Shape>& inputs) const override { return single(inputs, 1, "(N, features)"); }
};

template <class L, class... Arguments>
LayerPtr make(Arguments&&... arguments) {
    return std::make_shared<const L>(std::forward<Arguments>(arguments)...);
}

Symbol map(const Symbol& from, const std::string& name = "") {
    return striate::apply(make<Map>(name), {from});
}

std::vector<std::string> names_of(const Graph& graph) {
    std::vector<std::string> names;
    for (const auto& entry : graph.layers) names.push_back(entry.name);
    return names;
}
using Names = std::vector<std::string>;

TEST_CASE("names of layers and inputs") {
    const std::pair<const char*, const char*> pairs[] = {{"Conv2D", "conv2d"},
                                                         {"BatchNormalization", "batch_normalization"},
                                                         {"MaxPooling2D", "max_pooling2d"},
                                                         {"ReLU", "re_lu"},
                                                         {"PReLU", "p_re_lu"},
                                                         {"ELU", "elu"},
                                                         {"LeakyReLU", "leaky_re_lu"},
                                                         {"GlobalAveragePooling2D", "global_average_pooling2d"},
                                                         {"Conv2DTranspose", "conv2d_transpose"},
                                                         {"DepthwiseConv2D", "depthwise_conv2d"},
                                                         {"UpSampling2D", "up_sampling2d"},
                                                         {"ZeroPadding2D", "zero_padding2d"},
                                                         {"InputLayer", "input_layer"},
                                                         {"Dense", "dense"},
                                                         {"", ""}};
    for (const auto& [type, want] : pairs) CHECK(snake_case(type) == want);

    const Symbol in = input({8, 8, 2});
    const Symbol a = map(in), b = map(a, "conv2d_1"), c = map(b), d = map(c);
    const Graph graph = Graph::build({in}, {d});
    CHECK(names_of(graph) == Names({"input_layer", "conv2d", "conv2d_1", "conv2d_2", "conv2d_3"}));
    CHECK(graph.find_layer("conv2d_2") == 3);
    CHECK_THROWS_WITH_AS(graph.find_layer("conv2d_x"),
                         Contains("the model has no layer 'conv2d_x'; did you mean 'conv2d_1'"), ValueError);
    CHECK_THROWS_WITH_AS(graph.find_layer("zzz"), Contains("choose one of: input_layer, conv2d"), ValueError);
    CHECK(make<Map>()->label() == "conv2d");
    CHECK(make<Map>("first")->label() == "first");

    const Symbol same = map(map(in, "twice"), "twice");
    CHECK_THROWS_WITH_AS(Graph::build({in}, {same}), Contains("two layers are named 'twice'"), ValueError);
    CHECK_THROWS_WITH_AS(Graph::build({in}, {map(in, "a/b")}), Contains("the layer name 'a/b' contains '/'"),
                         ValueError);
}

TEST_CASE("an input that does not fit a layer is an error that says what to do") {
    const Symbol flat = input({784});
    CHECK_THROWS_WITH_AS(
        map(flat),
        Contains("[conv2d] expects 4-D input (N, H, W, C), got (N, 784); add Reshape((28, 28, 1)) before it"),
        ValueError);
    const Symbol picture = input({28, 28, 1});
    const Symbol third = map(map(map(picture)));
    const Symbol features = striate::apply(make<Reshaped>(Shape{3072}), {third});
    CHECK_THROWS_WITH_AS(
        map(features),
        Contains("[conv2d_3] expects 4-D input (N, H, W, C), got (N, 3072); add Reshape((32, 32, 3)) before it"),
        ValueError);
    CHECK_THROWS_WITH_AS(map(features, "mine"), Contains("[mine] expects 4-D input"), ValueError);
    const Symbol taken = striate::apply(make<Reshaped>(Shape{10}), {map(picture, "conv2d")});
    CHECK_THROWS_WITH_AS(map(taken), Contains("[conv2d_1] expects 4-D input (N, H, W, C), got (N, 10)"), ValueError);
    try {
        map(taken);
    } catch (const ValueError& error) {
        CHECK(std::string(error.what()).find("Reshape") == std::string::npos);
    }
    CHECK_THROWS_WITH_AS(map(input({28, 28})), Contains("got (N, 28, 28); add Reshape((28, 28, 1)) before it"),
                         ValueError);
    CHECK_THROWS_WITH_AS(
        striate::apply(make<Flat>(), {picture}),
        Contains("[flat] expects 2-D input (N, features), got (N, 28, 28, 1); add Flatten() before it"), ValueError);
    CHECK_THROWS_WITH_AS(striate::apply(make<Map>(), {picture, picture}), Contains("[conv2d] expects one input, got 2"),
                         ValueError);
    CHECK_THROWS_WITH_AS(striate::apply(make<Map>(), {}), Contains("[conv2d] needs an input"), ValueError);
    CHECK_THROWS_WITH_AS(striate::apply(make<Map>(), {nullptr}), Contains("[conv2d] input 0 is null"), ValueError);
    CHECK_THROWS_WITH_AS(striate::apply(nullptr, {picture}), Contains("there is no layer"), ValueError);
    CHECK_THROWS_WITH_AS(
        striate::apply(make<Reshaped>(Shape{3, 0}), {picture}),
        Contains("[reshape] would make an output of shape (N, 3, 0) from (N, 28, 28, 1), which is empty"), ValueError);
    CHECK_THROWS_WITH_AS(striate::apply(make<Reshaped>(Shape{}), {picture}),
                         Contains("[reshape] would make an output without"), ValueError);
    const int64_t big = int64_t{1} << 40;
    CHECK_THROWS_WITH_AS(striate::apply(make<Reshaped>(Shape{big, big}), {picture}),
                         Contains("more elements than 64 bits"), ValueError);
    CHECK_THROWS_WITH_AS(
        striate::apply(make<Reshaped>(Shape{big, 1 << 9}), {picture}),
        Contains("[reshape] would make an output of shape (N, 1099511627776, 512), which is too large for any memory"),
        ValueError);
    CHECK_THROWS_WITH_AS(input({big, 1 << 9}), Contains("[input_layer] would make an output of shape"), ValueError);

    CHECK_THROWS_WITH_AS(input({}), Contains("[input_layer] shape must have one to three sizes"), ValueError);
    CHECK_THROWS_WITH_AS(input({1, 2, 3, 4}, "x"), Contains("[x] shape must have one to three sizes"), ValueError);
    CHECK_THROWS_WITH_AS(input({28, 0, 1}), Contains("sizes of at least 1, got (28, 0, 1)"), ValueError);
    CHECK_THROWS_WITH_AS(input({-1}), Contains("sizes of at least 1, got (-1,)"), ValueError);
    CHECK_THROWS_WITH_AS(input({big, big}), Contains("more elements"), ValueError);
    CHECK_THROWS_WITH_AS(striate::apply(input({3})->layer, {picture}),
                         Contains("[input_layer_1] is a network's input and takes no inputs"), ValueError);
}

TEST_CASE("a graph is collected from its outputs") {
    const Symbol left = input({4, 4, 1}, "left"), right = input({4, 4, 1}, "right");
    const LayerPtr shared = make<Map>("shared");
    const Symbol a = striate::apply(shared, {left}), b = striate::apply(shared, {right});
    const Symbol unused = map(a);
    const Symbol sum = striate::apply(make<Sum>(), {a, b, a});
    const Graph graph = Graph::build({right, left}, {sum, a});
    CHECK(names_of(graph) == Names({"left", "right", "shared", "add"}));
    CHECK(graph.nodes.size() == 5);
    CHECK(graph.layers[2].first_node == 2);
    CHECK(graph.inputs == std::vector<int>({1, 0}));
    CHECK(graph.outputs == std::vector<int>({4, 2}));
    CHECK(graph.nodes[4].inputs == std::vector<int>({2, 3, 2}));
    CHECK(graph.nodes[3].layer == 2);
    CHECK(graph.input_shapes(4) == std::vector<Shape>(3, Shape{4, 4, 1}));
    CHECK(graph.name(4) == "add");
    CHECK(names_of(Graph::build({left}, {left})) == Names({"left"}));

    CHECK_THROWS_WITH_AS(Graph::build({left}, {sum}),
                         Contains("the output 'add' depends on the input 'right' of shape (N, 4, 4, 1), which is not "
                                  "among the model's inputs"),
                         ValueError);
    CHECK_THROWS_WITH_AS(Graph::build({left, right}, {a}), Contains("no output depends on the input 'right'"),
                         ValueError);
    CHECK_THROWS_WITH_AS(Graph::build({left, left, right}, {sum}), Contains("the input 'left' is given twice"),
                         ValueError);
    CHECK_THROWS_WITH_AS(Graph::build({a, right}, {sum}), Contains("made by Input(); got the output of layer 'shared'"),
                         ValueError);
    CHECK_THROWS_WITH_AS(Graph::build({}, {sum}), Contains("at least one input"), ValueError);
    CHECK_THROWS_WITH_AS(Graph::build({left}, {}), Contains("at least one output"), ValueError);
    CHECK_THROWS_WITH_AS(Graph::build({nullptr}, {sum}), Contains("input is null"), ValueError);
    CHECK_THROWS_WITH_AS(Graph::build({left}, {nullptr}), Contains("output is null"), ValueError);

    const Symbol wide = input({4, 4, 3}, "wide");
    const Symbol other = striate::apply(shared, {wide});
    CHECK_THROWS_WITH_AS(Graph::build({left, wide}, {a, other}),
                         Contains("[shared] is shared by calls on inputs (N, 4, 4, 1) and (N, 4, 4, 3), which need "
                                  "weights of different shapes"),
                         ValueError);
    const Symbol taller = input({9, 4, 1}, "taller");
    CHECK(Graph::build({left, taller}, {a, striate::apply(shared, {taller})}).layers.size() == 3);
    const Symbol again = striate::apply(left->layer, {});
    CHECK_THROWS_WITH_AS(Graph::build({left, again}, {striate::apply(make<Sum>(), {left, again})}),
                         Contains("[left] is a network's input and cannot be used as two"), ValueError);
}

// Neither collecting nor freeing a long network may go as deep into the stack as the network is long.
TEST_CASE("a long network is collected and freed without deep recursion") {
    const Symbol in = input({2, 2, 1});
    Symbol last = in;
    const LayerPtr layer = make<Map>();
    for (int i = 0; i < 300000; ++i) last = striate::apply(layer, {last});
    CHECK(Graph::build({in}, {last}).nodes.size() == 300001);
}

}  // namespace
