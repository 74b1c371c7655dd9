#include <algorithm>

#include "models/imagenet.hpp"

namespace striate::models {
namespace {

using imagenet::channels;

// M. Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018.
Symbol inverted_residual(const imagenet::Builder& b, const Symbol& x, const std::string& name, int64_t factor,
                         int64_t filters, int64_t strides) {
    int part = 0;
    const auto next = [&] { return concat(name, ".conv.", part++); };
    Symbol y = x;
    if (factor > 1) y = b.conv_block(y, next(), channels(x) * factor, 1, 1, "relu6");
    y = b.depthwise_block(y, next(), 3, strides, "relu6");
    y = b.conv(y, next(), filters, 1);
    y = b.normal(y, next());
    return strides == 1 && channels(x) == filters ? b.add(x, y, name) : y;
}

struct MobileBlock {
    int64_t size, expanded, filters;
    bool excited;
    const char* kind;
    int64_t strides;
};

// A. Howard et al., "Searching for MobileNetV3", ICCV 2019.
Symbol third_block(const imagenet::Builder& b, const Symbol& x, const std::string& name, const MobileBlock& block) {
    int part = 0;
    const auto next = [&] { return concat(name, ".block.", part++); };
    Symbol y = x;
    if (block.expanded != channels(x)) y = b.conv_block(y, next(), block.expanded, 1, 1, block.kind);
    y = b.depthwise_block(y, next(), block.size, block.strides, block.kind);
    // A quarter of the channels in multiples of 8, and not less than nine tenths of a quarter.
    const int64_t quarter = block.expanded / 4, rounded = std::max<int64_t>(8, (quarter + 4) / 8 * 8);
    const int64_t squeezed = rounded * 10 < quarter * 9 ? rounded + 8 : rounded;
    if (block.excited) y = b.excitation(y, next(), squeezed, "relu", "hard_sigmoid");
    y = b.conv_block(y, next(), block.filters, 1, 1, "");
    return block.strides == 1 && channels(x) == block.filters ? b.add(y, x, name + ".add") : y;
}

constexpr int64_t kSecond[][4] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                                  {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};  // factor, filters, count, strides
constexpr MobileBlock kSmall[] = {
    {3, 16, 16, true, "relu", 2},        {3, 72, 24, false, "relu", 2},       {3, 88, 24, false, "relu", 1},
    {5, 96, 40, true, "hard_swish", 2},  {5, 240, 40, true, "hard_swish", 1}, {5, 240, 40, true, "hard_swish", 1},
    {5, 120, 48, true, "hard_swish", 1}, {5, 144, 48, true, "hard_swish", 1}, {5, 288, 96, true, "hard_swish", 2},
    {5, 576, 96, true, "hard_swish", 1}, {5, 576, 96, true, "hard_swish", 1},
};

}  // namespace

Model mobilenet_v2(const ImageNetOptions& options) {
    imagenet::Builder b{"mobilenet_v2", options};
    Symbol x = b.conv_block(b.begin(), "features.0", 32, 3, 2, "relu6");
    int part = 1;
    for (const auto& [factor, filters, count, strides] : kSecond)
        for (int64_t i = 0; i < count; ++i)
            x = inverted_residual(b, x, concat("features.", part++), factor, filters, i ? 1 : strides);
    x = b.conv_block(x, concat("features.", part), 1280, 1, 1, "relu6");
    return b.finish(b.dropped(b.average(x), 0.2), "classifier.1");
}

Model mobilenet_v3_small(const ImageNetOptions& options) {
    imagenet::Builder b{"mobilenet_v3_small", options, 1e-3, 0.99};
    Symbol x = b.conv_block(b.begin(), "features.0", 16, 3, 2, "hard_swish");
    int part = 1;
    for (const MobileBlock& block : kSmall) x = third_block(b, x, concat("features.", part++), block);
    x = b.average(b.conv_block(x, concat("features.", part), 576, 1, 1, "hard_swish"));
    x = striate::apply(make<Dense>({1024}, "classifier.0"), {x});
    x = b.activation(x, "hard_swish", "classifier.1");
    return b.finish(b.dropped(x, 0.2), "classifier.3");
}

}  // namespace striate::models
